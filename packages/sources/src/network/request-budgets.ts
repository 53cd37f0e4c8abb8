import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NetworkConfig, SynclineError } from '@syncline/contract';
import { orAbort } from '../source.ts';

/** How many requests a host gets from all processes that share a store. */
export interface RequestBudgets {
  /**
   * Waits until a request to the host may begin. A host without a budget is never waited for.
   *
   * @returns what frees the place of the request; more than one call does no harm
   * @param options.signal ends the waiting, with its reason
   * @param options.holdMs the longest that the request may take. Then the place is free again, even if its
   *   process has died.
   * @throws SynclineError `source-rate-limited`, with `retryAfterMs`, if the wait would be longer than
   *   {@link LONGEST_BUDGET_WAIT_MS}
   */
  take(host: string, options: { signal: AbortSignal; holdMs: number }): Promise<Disposable>;
}

const LONGEST_BUDGET_WAIT_MS = 30_000;

/** A freed place is not announced: a waiting request polls, at growing intervals. */
const FIRST_POLL_MS = 10;
const LONGEST_POLL_MS = 250;
/** How long a registry stays away from a host whose places were all taken for the whole wait. */
const RETRY_AFTER_FULL_MS = 5_000;

/** The budget of one host in the config. */
export type RequestBudget = NetworkConfig['budgets'][number];

type PlaceAnswer =
  /** The request may begin in so many milliseconds. Its place is taken from now on. */
  | { readonly state: 'taken'; readonly waitMs: number }
  /** All places are taken. */
  | { readonly state: 'full' }
  /** A request may begin only in so many milliseconds, which is longer than the longest wait. */
  | { readonly state: 'late'; readonly waitMs: number };

/** Where places are kept. */
export interface PlaceStore {
  tryTake(
    budget: RequestBudget,
    options: { place: string; holdMs: number; longestWaitMs: number },
  ): Promise<PlaceAnswer>;
  /** Never rejects: a place that cannot be released becomes free when its time is over. */
  release(host: string, place: string): Promise<void>;
}

export interface RequestBudgetsOptions {
  readonly store: PlaceStore;
  /** `network.budgets` of the config in force. */
  readonly budgets: () => readonly RequestBudget[];
  readonly longestWaitMs?: number;
}

/** Creates budgets on a store of places. All that share the store share the budgets. */
export function createRequestBudgets({
  store,
  budgets,
  longestWaitMs = LONGEST_BUDGET_WAIT_MS,
}: RequestBudgetsOptions): RequestBudgets {
  return {
    async take(host, { signal, holdMs }) {
      signal.throwIfAborted();
      const name = host.replace(/\.$/, '');
      const budget = budgets().find((it) => it.host === name);
      if (budget === undefined) return { [Symbol.dispose]: () => {} };
      const place = randomUUID();
      const release = () => void store.release(name, place);
      const tryTake = () => store.tryTake(budget, { place, holdMs, longestWaitMs });
      try {
        const waitMs = await pollUntilTaken(tryTake, { host, signal, longestWaitMs, release });
        if (waitMs > 0) await sleep(waitMs, undefined, { signal });
      } catch (error) {
        release();
        throw signal.aborted ? signal.reason : error;
      }
      return { [Symbol.dispose]: release };
    },
  };
}

interface Polling {
  readonly host: string;
  readonly signal: AbortSignal;
  readonly longestWaitMs: number;
  readonly release: () => void;
}

/** Returns how long to wait until the request may begin. */
async function pollUntilTaken(
  tryTake: () => Promise<PlaceAnswer>,
  { host, signal, longestWaitMs, release }: Polling,
): Promise<number> {
  const deadlineMs = performance.now() + longestWaitMs;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const asked = tryTake();
    // The store may not answer for long, and an abort must not wait for it.
    const answer = await orAbort(asked, signal).catch((error: unknown) => {
      // A place that it gives later is not used.
      asked.then(release, () => {});
      throw error;
    });
    if (answer.state === 'taken') return answer.waitMs;
    if (answer.state === 'late') throw overBudget(host, answer.waitMs);
    if (performance.now() + pollMs > deadlineMs) throw overBudget(host, RETRY_AFTER_FULL_MS);
    // At random, so that waiting requests do not poll at the same moments.
    await sleep(pollMs * (0.5 + Math.random()), undefined, { signal });
  }
}

function overBudget(host: string, retryAfterMs: number): SynclineError {
  return new SynclineError(
    'source-rate-limited',
    `the budget of ${host} is used up for longer than a run waits. Raise it in network.budgets, or sync less often`,
    { retryAfterMs },
  );
}

interface Host {
  /** When each place is free again at the latest. */
  readonly places: Map<string, number>;
  /** When the last request begins. */
  lastMs: number;
}

/** Creates a store for the users of one process. */
export function createInMemoryPlaceStore(): PlaceStore {
  const hosts = new Map<string, Host>();
  return {
    async tryTake(
      { host: name, concurrency, requestsPerSecond },
      { place, holdMs, longestWaitMs },
    ): Promise<PlaceAnswer> {
      const nowMs = performance.now();
      const host = hosts.get(name) ?? { places: new Map(), lastMs: Number.NEGATIVE_INFINITY };
      hosts.set(name, host);
      for (const [other, untilMs] of host.places) {
        if (untilMs <= nowMs) host.places.delete(other);
      }
      if (concurrency !== undefined && host.places.size >= concurrency) return { state: 'full' };
      const nextMs =
        requestsPerSecond === undefined ? nowMs : host.lastMs + 1_000 / requestsPerSecond;
      const waitMs = Math.ceil(Math.max(nextMs - nowMs, 0));
      if (waitMs > longestWaitMs) return { state: 'late', waitMs };
      if (requestsPerSecond !== undefined) host.lastMs = nowMs + waitMs;
      host.places.set(place, nowMs + waitMs + holdMs);
      return { state: 'taken', waitMs };
    },
    async release(name, place) {
      hosts.get(name)?.places.delete(place);
    },
  };
}
