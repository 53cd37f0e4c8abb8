import { SynclineError } from '@syncline/contract';

/** What Redis says of a value that is not of the type, or not a number, that it was taken for. */
const NOT_OURS = /WRONGTYPE|is not an integer/;

/** Says what it means that Redis does not do its part; errors of ours pass. */
export function toStoreError(cause: unknown): SynclineError {
  if (cause instanceof SynclineError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (!NOT_OURS.test(detail)) {
    return new SynclineError('store-unavailable', `Redis does not do its part: ${detail}`, {
      cause,
    });
  }
  // As ioredis documents it, for errors that Redis has replied with.
  const { command } = cause as { command?: { args: readonly unknown[] } };
  return new SynclineError('store-corrupt', `the key ${command?.args[0]} holds what is not ours`, {
    expected: 'what Syncline has written there',
    cause,
  });
}
