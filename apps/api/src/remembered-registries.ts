import { type Clock, isStoreUnavailable, systemClock } from '@syncline/contract';
import type { RegistryReader, StoredRegistries } from '@syncline/redis';

/** Reads the state of registries from Redis, at most once a second for all requests. */
export interface RememberedRegistries {
  /** Fails while Redis is unavailable. */
  readonly current: RegistryReader;
  /**
   * While Redis is unavailable, returns the last state that this process read.
   *
   * `nowMs` is always the current time by Redis's clock. `ageMs` is the age of the oldest value, or `undefined` if all
   * values are current.
   */
  readMany(
    names: readonly string[],
  ): Promise<StoredRegistries & { readonly ageMs: number | undefined }>;
}

export interface RememberOptions {
  readonly clock?: Pick<Clock, 'monotonic'>;
  /** Returns whether the config has a registry. The state of other registries is forgotten. */
  readonly isConfigured: (name: string) => boolean;
  /** How long a state counts as current. Default: one second. */
  readonly freshMs?: number;
}

/** Many clients that poll the same list then cost one read a second. */
const DEFAULT_FRESH_MS = 1_000;
/** So many states may be kept before the first search for registries that are gone. */
const FIRST_PRUNE_AT = 1_000;

type Stored = StoredRegistries['registries'] extends Map<string, infer Value> ? Value : never;

/** Creates a reader that shares its reads between requests. Fails for registries that it has never read. */
export function rememberRegistries(
  reader: RegistryReader,
  { clock = systemClock, isConfigured, freshMs = DEFAULT_FRESH_MS }: RememberOptions,
): RememberedRegistries {
  const states = new Map<string, { value: Stored; readAtMs: number }>();
  const reading = new Map<string, Promise<void>>();
  let redisClock = { nowMs: 0, readAtMs: Number.NEGATIVE_INFINITY };
  let pruneAt = FIRST_PRUNE_AT;

  const isFresh = (name: string) =>
    clock.monotonic() - (states.get(name)?.readAtMs ?? -Infinity) < freshMs;

  return {
    current: {
      async readMany(names) {
        const wanted = names.filter((name) => !isFresh(name));
        // Asks Redis for its time now and then, so that the answer does not hide for long that Redis is away.
        if (wanted.length > 0) await read(wanted);
        else if (clock.monotonic() - redisClock.readAtMs >= freshMs) await readOwn([]);
        return answer(names, false);
      },
    },
    async readMany(names) {
      const wanted = names.filter((name) => !isFresh(name));
      let isAway = false;
      try {
        await read(wanted);
      } catch (error) {
        isAway = isStoreUnavailable(error) && wanted.every((name) => states.has(name));
        if (!isAway) throw error;
      }
      return answer(names, isAway);
    },
  };

  /** Reads the state of registries. Waits for the reads of other requests instead, if there are such reads. */
  async function read(wanted: readonly string[]): Promise<void> {
    const own = wanted.filter((name) => !reading.has(name));
    const shared = new Set(wanted.flatMap((name) => reading.get(name) ?? []));
    if (own.length > 0) {
      const started = readOwn(own).finally(() => {
        for (const name of own) reading.delete(name);
      });
      for (const name of own) reading.set(name, started);
      shared.add(started);
    }
    await Promise.all(shared);
  }

  async function readOwn(names: readonly string[]): Promise<void> {
    const readAtMs = clock.monotonic();
    const { nowMs, registries } = await reader.readMany(names);
    redisClock = { nowMs, readAtMs: clock.monotonic() };
    for (const [name, value] of registries) states.set(name, { value, readAtMs });
    if (states.size < pruneAt) return;
    for (const name of states.keys()) if (!isConfigured(name)) states.delete(name);
    pruneAt = Math.max(FIRST_PRUNE_AT, 2 * states.size);
  }

  function answer(names: readonly string[], isAway: boolean) {
    const nowMs = clock.monotonic();
    const registries: StoredRegistries['registries'] = new Map();
    let oldestMs = nowMs;
    for (const name of names) {
      const state = states.get(name);
      if (state === undefined) continue;
      registries.set(name, state.value);
      oldestMs = Math.min(oldestMs, state.readAtMs);
    }
    return {
      nowMs: redisClock.nowMs + (nowMs - redisClock.readAtMs),
      registries,
      ageMs: isAway ? nowMs - oldestMs : undefined,
    };
  }
}
