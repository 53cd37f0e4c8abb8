import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import type { StartService } from '../run-service.ts';

export function addUp(program: Command): void {
  const command = program
    .command('up')
    .description('run everything in one process, with its own Redis unless REDIS_URL is set')
    .action(async () => (await import('../up/start-up.ts')).runUp(program));
  addExamples(command, [
    'syncline up --config examples/quickstart.yaml',
    'PORT=0 LOG_LEVEL=info syncline up',
  ]);
}

interface ServiceCommand {
  readonly name: string;
  readonly description: string;
  readonly example: string;
  /** Loads the service, which takes longer than a short command takes to run. */
  readonly load: () => Promise<StartService>;
}

export const addScheduler = serviceCommand({
  name: 'scheduler',
  description: 'run a process that keeps the schedules and applies the config file',
  example: 'REDIS_URL=redis://127.0.0.1:6379 syncline scheduler --config /etc/syncline.yaml',
  load: async () => (await import('@syncline/scheduler')).startScheduler,
});

export const addWorker = serviceCommand({
  name: 'worker',
  description: 'run a process that syncs registries',
  example: 'REDIS_URL=redis://127.0.0.1:6379 SYNCLINE_CONCURRENCY=32 syncline worker',
  load: async () => (await import('@syncline/worker')).startWorker,
});

export const addApi = serviceCommand({
  name: 'api',
  description: 'run a process that serves the mirrors, and shows and controls registries',
  example: 'REDIS_URL=redis://127.0.0.1:6379 syncline api',
  load: async () => (await import('@syncline/api')).startApi,
});

function serviceCommand({ name, description, example, load }: ServiceCommand) {
  return (program: Command): void => {
    const command = program
      .command(name)
      .description(description)
      .action(async () => {
        const { runService } = await import('../run-service.ts');
        await runService(name, await load(), program);
      });
    addExamples(command, [example]);
  };
}
