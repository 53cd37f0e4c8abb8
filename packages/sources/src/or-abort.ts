import { onAbort } from '@syncline/contract';

/**
 * Returns what a promise gives, or throws the signal's reason as soon as that is aborted. The work behind
 * the promise goes on, and its result is dropped.
 */
export async function orAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  using _listening = onAbort(signal, () => aborted.reject(signal.reason));
  return await Promise.race([work, aborted.promise]);
}
