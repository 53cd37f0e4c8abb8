import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { runService } from '../run-service.ts';

export function addScheduler(program: Command): void {
  const command = program
    .command('scheduler')
    .description('run a process of its own: keep the schedules, and put the config file in force')
    .action(async () => {
      const { startScheduler } = await import('@syncline/scheduler');
      await runService('scheduler', startScheduler, program);
    });
  addExamples(command, [
    'REDIS_URL=redis://127.0.0.1:6379 syncline scheduler --config /etc/syncline.yaml',
  ]);
}
