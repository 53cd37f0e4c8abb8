import { ERRORS, isConfigFault, SynclineError } from '@syncline/contract';
import { withoutCredentials } from '@syncline/runtime';
import { EXIT_STATUS, Interrupted, SIGNAL_STATUS } from './errors.ts';
import { paint } from './format/style.ts';
import { plain } from './format/text.ts';
import { note, toJson } from './output.ts';

/**
 * Returns the exit status for an error. It is 2 if the environment or the config is invalid. It is 130 or 143 if
 * a signal ended the command. Otherwise it is 1.
 */
export function exitStatusOf(error: unknown): number {
  if (error instanceof Interrupted) return SIGNAL_STATUS[error.signal];
  return isConfigFault(error) ? EXIT_STATUS.usage : EXIT_STATUS.failed;
}

/**
 * Prints an error and its advice on one line of standard error. For an invalid config, prints one line per
 * problem.
 */
export function reportError(error: unknown): void {
  const message = withAdvice(error);
  // Each problem of a config begins with its file and line, so that editors and terminals can open the place. So
  // no prefix is added.
  const isPlain = isConfigFault(error) || error instanceof Interrupted;
  note(isPlain ? message : `${paint('red', 'error:', process.stderr)} ${message}`);
}

/**
 * Describes an error, and adds the advice from the table of errors unless the message already says what to do.
 */
export function withAdvice(error: unknown): string {
  const message = describeError(error);
  // The problems of an invalid config have a format that editors parse, so nothing is added.
  if (!(error instanceof SynclineError) || error.code === 'config-invalid') return message;
  const { advice } = ERRORS[error.code];
  // A message that says what to do has a second sentence, or names the expected value.
  const saysWhatToDo = error.expected !== undefined || /[.!?] \S/.test(message);
  return saysWhatToDo ? message : `${message.replace(/\.$/, '')}. ${advice}`;
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
  const problems = 'problems' in error ? error.problems : undefined;
  return { code, message, expected, problems };
}

/** Describes an error as text, without a stack, credentials, or characters that control the terminal. */
export function describeError(error: unknown): string {
  if (isConfigFault(error)) return error.message.split('\n').map(plain).join('\n');
  const text = String(withoutCredentials(messageOf(error).trim())).replace(/\s*\n\s*/g, ' ');
  return plain(text);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error && 'address' in error) {
    return `port ${error.port} of ${error.address} is in use. Set PORT to another port, or to 0 for any free port`;
  }
  if (error.message !== '') return error.message;
  // If a name has several addresses and all of them fail, the error has no message.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error.name;
}
