import { runProcess } from '@syncline/runtime';
import type { Command } from 'commander';
import { envOptions } from '../environment.ts';
import { reportError } from '../errors.ts';
import { addExamples } from '../examples.ts';

export function addUp(program: Command): void {
  const command = program
    .command('up')
    .description(
      'run everything in one process, with a Redis of its own where REDIS_URL is not set',
    )
    .action(async () => {
      const { startUp } = await import('../up/start-up.ts');
      await runProcess('up', startUp, {
        // What there is to see is told in plain lines; the log has the rest, for those who want it.
        env: { ...envOptions(program), defaults: { LOG_LEVEL: 'warn' } },
        reportFailure: reportError,
      });
    });
  addExamples(command, [
    'syncline up --config examples/quickstart.yaml',
    'PORT=0 LOG_LEVEL=info syncline up',
  ]);
}
