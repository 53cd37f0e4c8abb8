import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { runService } from '../run-service.ts';

export function addWorker(program: Command): void {
  const command = program
    .command('worker')
    .description('run a process of its own: sync registries')
    .action(async () => {
      const { startWorker } = await import('@syncline/worker');
      await runService('worker', startWorker, program);
    });
  addExamples(command, [
    'REDIS_URL=redis://127.0.0.1:6379 SYNCLINE_CONCURRENCY=32 syncline worker',
  ]);
}
