import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import type { StartService } from '../run-service.ts';

export function addUp(program: Command): void {
  const command = program
    .command('up')
    .description('run the whole system in one process; without REDIS_URL, start a Redis too')
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
  /** Loads the service on demand, because loading it takes longer than a short command runs. */
  readonly load: () => Promise<StartService>;
}

export const addScheduler = serviceCommand({
  name: 'scheduler',
  description: 'run a scheduler: it applies the config file and keeps the schedules',
  example: 'REDIS_URL=redis://127.0.0.1:6379 syncline scheduler --config /etc/syncline.yaml',
  load: async () => (await import('@syncline/scheduler')).startScheduler,
});

export const addWorker = serviceCommand({
  name: 'worker',
  description: 'run a worker: it syncs registries',
  example: 'REDIS_URL=redis://127.0.0.1:6379 SYNCLINE_CONCURRENCY=32 syncline worker',
  load: async () => (await import('@syncline/worker')).startWorker,
});

export const addApi = serviceCommand({
  name: 'api',
  description: 'run an api: it serves the registries, and shows and controls their state',
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
