import { isConfigFault, SynclineError } from '@syncline/contract';
import { ConfigError, withoutCredentials } from '@syncline/runtime';
import { paint } from './format/style.ts';
import { plain } from './format/text.ts';
import { note, toJson } from './output.ts';

export const EXIT_STATUS = { done: 0, failed: 1, usage: 2, differs: 3 } as const;

/** Ends a command that has said all that there is to say, but for its exit status. */
export class EndedWith extends Error {
  override readonly name = 'EndedWith';
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super(`ended with ${exitStatus}`);
    this.exitStatus = exitStatus;
  }
}

/** As shells have it for a program that a signal has ended: 128 and the signal's number. */
const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof SIGNAL_STATUS;

/** A signal has ended a command before it was done. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: StopSignal;

  constructor(signal: StopSignal, message = 'interrupted') {
    super(message);
    this.signal = signal;
  }
}

/**
 * 2 for what whoever called us has to put right in the call, the environment or the config; 130 and 143
 * for what a signal has ended; else 1.
 */
export function exitStatusOf(error: unknown): number {
  if (error instanceof Interrupted) return SIGNAL_STATUS[error.signal];
  return isConfigFault(error) ? EXIT_STATUS.usage : EXIT_STATUS.failed;
}

/** Says on standard error what went wrong, in one line; of a config, in one line a problem. */
export function reportError(error: unknown): void {
  const message = describeError(error);
  // The problems of a config begin with their place, so that editors and terminals can go there.
  const isPlain = isConfigFault(error) || error instanceof Interrupted;
  note(isPlain ? message : `${paint('red', 'error:', process.stderr)} ${message}`);
}

/** Says the same to a program: `{"error": {code, message, …}}`, in one line. */
export function reportErrorAsJson(error: unknown): void {
  note(toJson({ error: jsonOf(error) }));
}

/** Says to a program that it has called us wrongly. */
export function reportUsageAsJson(message: string): void {
  note(toJson({ error: { code: 'bad-request', message: message.replace(/^error: /, '') } }));
}

function jsonOf(error: unknown): object {
  const message = describeError(error);
  if (error instanceof Interrupted) return { code: 'interrupted', message };
  if (!(error instanceof SynclineError)) return { code: 'internal', message };
  const { code, expected } = error;
  return {
    code,
    message,
    ...(expected === undefined ? {} : { expected }),
    ...(error instanceof ConfigError ? { problems: error.problems } : {}),
  };
}

/** An error for people to read, without a stack, without credentials, and without power over the terminal. */
export function describeError(error: unknown): string {
  if (isConfigFault(error)) return error.message.split('\n').map(plain).join('\n');
  const text = String(withoutCredentials(messageOf(error).trim())).replace(/\s*\n\s*/g, ' ');
  return plain(text);
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
