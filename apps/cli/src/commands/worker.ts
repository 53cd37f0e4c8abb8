import type { Command } from 'commander';
import { runService } from '../run-service.ts';

export function addWorker(program: Command): void {
  program
    .command('worker')
    .description('run a process of its own: sync registries')
    .addHelpText('after', '\nExample:\n  $ REDIS_URL=redis://127.0.0.1:6379 syncline worker')
    .action(async () => {
      const { startWorker } = await import('@syncline/worker');
      await runService('worker', startWorker, program);
    });
}
