import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

const POLL_INTERVAL_MS = 25;
/** Guards against hanging only: longer than anything takes on a machine that does ten other things. */
export const WAITING_MS = 120_000;

export interface UntilOptions {
  /** What is awaited, to end the sentence "timed out waiting for …". */
  readonly what: string;
  /** By default {@link WAITING_MS}. Use less only for a wait that should time out. */
  readonly timeoutMs?: number;
}

/** Shows the failing test what a probe saw, if that is more than what it returned. */
export type See = (seen: unknown) => void;

/**
 * Calls `probe` again and again until it returns something other than `undefined`, `null` or `false`, and returns
 * that. A probe that throws counts as "not yet".
 *
 * @throws after `timeoutMs`, with what was awaited and what was last seen
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

/** A probe that hangs must not outlast the time that the test gave it. */
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
