import { SynclineError } from '@syncline/contract';
import { withoutCredentials } from '@syncline/runtime';

export const EXIT_STATUS = { done: 0, failed: 1, usage: 2, differs: 3 } as const;

/** Ends a command that has done what it should, and says something more by its exit status. */
export class EndedWith extends Error {
  override readonly name = 'EndedWith';
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super(`ended with ${exitStatus}`);
    this.exitStatus = exitStatus;
  }
}

/** 2 for what whoever called us has to put right in the call, the environment or the config; else 1. */
export function exitStatusOf(error: unknown): number {
  return isConfigError(error) ? EXIT_STATUS.usage : EXIT_STATUS.failed;
}

/** Says on standard error what went wrong, in one line; of a config, in one line a problem. */
export function reportError(error: unknown): void {
  const message = describeError(error);
  // The problems of a config begin with their place, so that editors and terminals can go there.
  process.stderr.write(isConfigError(error) ? `${message}\n` : `error: ${message}\n`);
}

/** An error for people to read, without a stack and without credentials. */
export function describeError(error: unknown): string {
  if (isConfigError(error)) return error.message;
  return String(withoutCredentials(messageOf(error).trim())).replace(/\s*\n\s*/g, ' ');
}

function isConfigError(error: unknown): error is SynclineError {
  return (
    error instanceof SynclineError &&
    (error.code === 'config-invalid' || error.code === 'config-unreadable')
  );
}

function messageOf(error: unknown): string {
  if (isPortTaken(error)) {
    return `port ${error.port} of ${error.address} is in use: set PORT to another one, or to 0 for any`;
  }
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  // A name with several addresses, none of which could be reached, makes an error without words.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error.name;
}

function isPortTaken(error: unknown): error is Error & { port: unknown; address: unknown } {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'EADDRINUSE' &&
    'port' in error &&
    'address' in error
  );
}
