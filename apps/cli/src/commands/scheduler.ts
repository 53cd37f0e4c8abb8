import type { Command } from 'commander';
import { runService } from '../run-service.ts';

export function addScheduler(program: Command): void {
  program
    .command('scheduler')
    .description('run a process of its own: keep the schedules, and put the config file in force')
    .addHelpText('after', '\nExample:\n  $ REDIS_URL=redis://127.0.0.1:6379 syncline scheduler')
    .action(async () => {
      const { startScheduler } = await import('@syncline/scheduler');
      await runService('scheduler', startScheduler, program);
    });
}
