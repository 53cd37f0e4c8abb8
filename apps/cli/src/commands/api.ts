import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { runService } from '../run-service.ts';

export function addApi(program: Command): void {
  const command = program
    .command('api')
    .description('run a process of its own: serve the copies, and let others see and steer')
    .action(async () => {
      const { startApi } = await import('@syncline/api');
      await runService('api', startApi, program);
    });
  addExamples(command, ['REDIS_URL=redis://127.0.0.1:6379 syncline api']);
}
