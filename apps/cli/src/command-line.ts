import { CommanderError } from 'commander';
import { EndedWith, EXIT_STATUS } from './errors.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command. With `--json`, errors are JSON too, and the exit status is the same.
 *
 * @param args the arguments after the program's name
 * @returns the exit status: 0 done, 1 failed, 2 bad usage or config, 130 ended by Ctrl-C; for an {@link
 *   EndedWith}, the status that it carries
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  endQuietlyWithReader();
  const isJson = asksForJson(args);
  try {
    await createProgram({ isJson }).parseAsync(args, { from: 'user' });
    return EXIT_STATUS.done;
  } catch (error) {
    // Commander also throws after it has printed the help or the version.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_STATUS.done;
    if (error instanceof EndedWith) return error.exitStatus;
    const { exitStatusOf, reportError, reportErrorAsJson, reportUsageAsJson } = await import(
      './report-error.ts'
    );
    if (error instanceof CommanderError) {
      // Commander has already printed the message as text.
      if (isJson) reportUsageAsJson(error.message);
      return EXIT_STATUS.usage;
    }
    if (isJson) reportErrorAsJson(error);
    else reportError(error);
    return exitStatusOf(error);
  }
}

function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}

/** Exits with status 0 if the reader of standard output ends early, as `head` does. */
function endQuietlyWithReader(): void {
  process.stdout.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(EXIT_STATUS.done);
    throw error;
  });
  // A command continues if the reader of standard error has ended.
  process.stderr.on('error', () => {});
}
