import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, SynclineError } from '@syncline/contract';
import type { SourceContext } from '../source.ts';

/** How often something is asked for before the run gives up; a failing registry gets one try only. */
const ATTEMPTS = 3;
const FIRST_RETRY_DELAY_MS = 1_000;
/** A longer `Retry-After` ends the run, and sets when the next one may begin. */
const LONGEST_WAIT_IN_RUN_MS = 30_000;

/**
 * Asks again, a few times and a little later each time, where that may help.
 *
 * @throws whatever the last try threw; the signal's reason where the run was aborted
 */
export async function withRetries<Result>(
  { signal, status }: Pick<SourceContext, 'signal' | 'status'>,
  ask: () => Promise<Result>,
): Promise<Result> {
  const attempts = status.consecutiveFailures > 0 ? 1 : ATTEMPTS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const delayMs = retryDelayMs(error, attempt);
      if (attempt >= attempts || delayMs === undefined) throw error;
      await sleep(delayMs, undefined, { signal });
    }
  }
}

/** How long to wait before the next try; `undefined` where that would not help. */
function retryDelayMs(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof SynclineError)) return undefined;
  const isRefused = error.code === 'source-http-status' && (error.status ?? 0) < 500;
  if (isRefused || !ERRORS[error.code].retry) return undefined;
  const delayMs = error.retryAfterMs ?? FIRST_RETRY_DELAY_MS * 2 ** (attempt - 1);
  return delayMs > LONGEST_WAIT_IN_RUN_MS ? undefined : delayMs;
}
