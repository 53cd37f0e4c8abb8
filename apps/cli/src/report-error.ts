import { isConfigFault, SynclineError } from '@syncline/contract';
import { withoutCredentials } from '@syncline/runtime';
import { ConfigError } from '@syncline/runtime/config';
import { EXIT_STATUS, Interrupted, SIGNAL_STATUS } from './errors.ts';
import { paint } from './format/style.ts';
import { plain } from './format/text.ts';
import { note, toJson } from './output.ts';

/** Returns 2 if the environment or the config is wrong, 130 or 143 if a signal ended the command, else 1. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof Interrupted) return SIGNAL_STATUS[error.signal];
  return isConfigFault(error) ? EXIT_STATUS.usage : EXIT_STATUS.failed;
}

/** Prints an error on standard error in one line; an invalid config has one line per problem. */
export function reportError(error: unknown): void {
  const message = describeError(error);
  // The problems of a config begin with their place, so that editors and terminals can go there.
  const isPlain = isConfigFault(error) || error instanceof Interrupted;
  note(isPlain ? message : `${paint('red', 'error:', process.stderr)} ${message}`);
}

/** Prints the error on standard error as one line of JSON: `{"error": {code, message, …}}`. */
export function reportErrorAsJson(error: unknown): void {
  note(toJson({ error: jsonOf(error) }));
}

/** Prints a usage error on standard error as one line of JSON. */
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

/** Describes an error for people: without a stack, credentials, or characters that control the terminal. */
export function describeError(error: unknown): string {
  if (isConfigFault(error)) return error.message.split('\n').map(plain).join('\n');
  const text = String(withoutCredentials(messageOf(error).trim())).replace(/\s*\n\s*/g, ' ');
  return plain(text);
}

function messageOf(error: unknown): string {
  if (isPortTaken(error)) {
    return `port ${error.port} of ${error.address} is in use. Set PORT to another one, or to 0 for any`;
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
