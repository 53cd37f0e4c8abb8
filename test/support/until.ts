import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

const POLL_INTERVAL_MS = 25;
/** The default timeout. It only ends a wait that hangs, so it is longer than anything takes on a busy machine. */
export const WAITING_MS = 120_000;

export interface UntilOptions {
  /** What the test waits for. It ends the sentence "timed out waiting for …". */
  readonly what: string;
  /** The timeout. Default: {@link WAITING_MS}. Use less only for a wait that should time out. */
  readonly timeoutMs?: number;
}

/** Records what a probe saw, so that the error of a failed test shows it. */
export type See = (seen: unknown) => void;

/**
 * Calls `probe` repeatedly until it returns a value other than `undefined`, `null` or `false`. Returns that
 * value. If a probe throws, it is called again.
 *
 * @throws after `timeoutMs`, with what the test waited for and what the probe saw last
 */
export async function until<Value>(
  probe: (see: See) => Promise<Value> | Value,
  { what, timeoutMs = WAITING_MS }: UntilOptions,
): Promise<Exclude<Value, undefined | null | false>> {
  const deadline = performance.now() + timeoutMs;
  let last = 'nothing: the probe has not returned';
  const expired = AbortSignal.timeout(timeoutMs);
  for (;;) {
    let shown: string | undefined;
    const see: See = (seen) => {
      shown = show(seen);
    };
    try {
      const value = await orTimeout(probe(see), expired);
      if (isThere(value)) return value;
      last = shown ?? show(value);
    } catch (error) {
      if (expired.aborted) last = shown ?? last;
      else last = `${shown === undefined ? '' : `${shown}, then `}a throw: ${show(error)}`;
    }
    if (performance.now() >= deadline || expired.aborted) {
      throw new Error(`timed out after ${timeoutMs} ms waiting for ${what}; last saw ${last}`);
    }
    await sleep(POLL_INTERVAL_MS);
  }
}

function isThere<Value>(value: Value): value is Exclude<Value, undefined | null | false> {
  return value !== undefined && value !== null && value !== false;
}

/** Rejects when the time is over, because a probe may hang. */
async function orTimeout<Value>(
  value: Promise<Value> | Value,
  expired: AbortSignal,
): Promise<Value> {
  if (!(value instanceof Promise)) return value;
  const { promise, reject } = Promise.withResolvers<never>();
  const onExpired = () => reject(expired.reason);
  expired.addEventListener('abort', onExpired);
  try {
    return await Promise.race([value, promise]);
  } finally {
    expired.removeEventListener('abort', onExpired);
  }
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return inspect(value, { depth: 6, breakLength: 100, maxStringLength: 2_000 });
}
