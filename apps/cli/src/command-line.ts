import { CommanderError } from 'commander';
import { EndedWith, EXIT_STATUS, exitStatusOf, reportError } from './errors.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command.
 *
 * @param args what follows the program's name
 * @returns the exit status: 0 done, 1 failed, 2 bad usage or config, else as the command says
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  endQuietlyWithReader();
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return EXIT_STATUS.done;
  } catch (error) {
    // Commander has said already what is wrong; help and version come this way too, with 0.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT_STATUS.done : EXIT_STATUS.usage;
    }
    if (error instanceof EndedWith) return error.exitStatus;
    reportError(error);
    return exitStatusOf(error);
  }
}

/** Whoever reads our output may have seen enough, as `head` has. */
function endQuietlyWithReader(): void {
  process.stdout.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(EXIT_STATUS.done);
    throw error;
  });
}
