import type { Command } from 'commander';
import { runService } from '../run-service.ts';

export function addApi(program: Command): void {
  program
    .command('api')
    .description('run a process of its own: serve the copies, and let others see and steer')
    .addHelpText('after', '\nExample:\n  $ REDIS_URL=redis://127.0.0.1:6379 syncline api')
    .action(async () => {
      const { startApi } = await import('@syncline/api');
      await runService('api', startApi, program);
    });
}
