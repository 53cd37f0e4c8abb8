import type { Command } from 'commander';
import { addExamples } from '../examples.ts';

export function addUp(program: Command): void {
  const command = program
    .command('up')
    .description('run everything in one process, with its own Redis unless REDIS_URL is set')
    .action(async () => (await import('../up/run-up.ts')).runUp(program));
  addExamples(command, [
    'syncline up --config examples/quickstart.yaml',
    'PORT=0 LOG_LEVEL=info syncline up',
  ]);
}
