import { CommanderError } from 'commander';
import {
  EndedWith,
  EXIT_STATUS,
  exitStatusOf,
  reportError,
  reportErrorAsJson,
  reportUsageAsJson,
} from './errors.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command. With `--json` standard error has JSON too, and the exit status is the same.
 *
 * @param args what follows the program's name
 * @returns the exit status: 0 done, 1 failed, 2 bad usage or config, 130 ended by Ctrl-C, else as the
 *   command says
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  endQuietlyWithReader();
  const isJson = asksForJson(args);
  try {
    await createProgram({ isJson }).parseAsync(args, { from: 'user' });
    return EXIT_STATUS.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version come this way too, with 0. Of what is wrong commander has told people already.
      if (error.exitCode === 0) return EXIT_STATUS.done;
      if (isJson) reportUsageAsJson(error.message);
      return EXIT_STATUS.usage;
    }
    if (error instanceof EndedWith) return error.exitStatus;
    if (isJson) reportErrorAsJson(error);
    else reportError(error);
    return exitStatusOf(error);
  }
}

function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}

/** Whoever reads our output may have seen enough, as `head` has. */
function endQuietlyWithReader(): void {
  process.stdout.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(EXIT_STATUS.done);
    throw error;
  });
  // Without a reader for what goes wrong, the work is still worth doing.
  process.stderr.on('error', () => {});
}
