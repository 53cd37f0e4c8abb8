import { startLoop } from '@syncline/runtime';
import type { AttackedFleet } from '../fleet.ts';
import { HONEST_INTERVAL_MS } from '../honest.ts';

const LOOK_EVERY_MS = 500;

export interface LatenessWatch {
  /** Returns the longest time by which any registry was later than its interval. */
  latestMs(): number;
  /** Returns whether each registry has succeeded after this time, in epoch milliseconds. */
  haveSucceededAfter(atMs: number): boolean;
  stop(): Promise<void>;
}

/** Watches when registries last succeeded, in Redis, because the api may be attacked. */
export function watchLateness(fleet: AttackedFleet, names: readonly string[]): LatenessWatch {
  const lastSuccess = new Map<string, number>();
  let latestMs = 0;
  const look = async (name: string) => {
    const stored = await fleet.redis.hget(fleet.keys.status(name), 'lastSuccessAt');
    // Two ticks that check at once may confirm in the other order, so the time may go back a little.
    const known = lastSuccess.get(name) ?? Number.NEGATIVE_INFINITY;
    if (stored !== null) lastSuccess.set(name, Math.max(known, Date.parse(stored)));
    const ageMs = Date.now() - (lastSuccess.get(name) ?? Date.now());
    latestMs = Math.max(latestMs, ageMs - HONEST_INTERVAL_MS);
  };
  const loop = startLoop({
    everyMs: LOOK_EVERY_MS,
    pass: async () => {
      await Promise.all(names.map(look));
    },
    // Redis may be attacked too. Then the age grows from the last known success.
    onError: () => {},
  });
  return {
    latestMs: () => latestMs,
    haveSucceededAfter: (atMs) => names.every((name) => (lastSuccess.get(name) ?? 0) > atMs),
    stop: () => loop.stop(),
  };
}
