import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NetworkConfig, SynclineError } from '@syncline/contract';
import { orAbort } from '../source.ts';

/** Limits the requests to each host, for all processes that share a store. */
export interface RequestBudgets {
  /**
   * Waits until a request to the host may begin. Does not wait if the host has no budget.
   *
   * @returns an object that releases the place of the request; you may dispose of it more than once
   * @param options.signal ends the wait, and `take` throws its reason
   * @param options.holdMs the longest time that the request may take. After this time the place is free
   *   again, even if the process has died.
   * @throws SynclineError `source-rate-limited`, with `retryAfterMs`, if the wait would be longer than
   *   {@link LONGEST_BUDGET_WAIT_MS}
   */
  take(host: string, options: { signal: AbortSignal; holdMs: number }): Promise<Disposable>;
}

const LONGEST_BUDGET_WAIT_MS = 30_000;

/** The store does not announce free places. So a waiting request polls the store, at growing intervals. */
const FIRST_POLL_MS = 10;
const LONGEST_POLL_MS = 250;
/**
 * How long a registry sends no requests to a host if all places of the host were taken during the whole
 * wait.
 */
const RETRY_AFTER_FULL_MS = 5_000;

/** The config of one host's budget. */
export type RequestBudget = NetworkConfig['budgets'][number];

type PlaceAnswer =
  /** The place is taken now. The request may begin after this many milliseconds. */
  | { readonly state: 'taken'; readonly waitMs: number }
  /** All places are taken. */
  | { readonly state: 'full' }
  /**
   * The request could begin only after this many milliseconds, which exceeds the longest permitted wait.
   */
  | { readonly state: 'late'; readonly waitMs: number };

/** Stores the places of requests. */
export interface PlaceStore {
  tryTake(
    budget: RequestBudget,
    options: { place: string; holdMs: number; longestWaitMs: number },
  ): Promise<PlaceAnswer>;
  /**
   * Releases a place. Never rejects: a place that cannot be released becomes free when its time is over.
   */
  release(host: string, place: string): Promise<void>;
}

export interface RequestBudgetsOptions {
  readonly store: PlaceStore;
  /** Returns `network.budgets` of the config in force. */
  readonly budgets: () => readonly RequestBudget[];
  readonly longestWaitMs?: number;
}

/** Creates budgets on a store of places. All processes that share the store share the budgets. */
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

/** Polls until the request has a place. Returns how long to wait until the request may begin. */
async function pollUntilTaken(
  tryTake: () => Promise<PlaceAnswer>,
  { host, signal, longestWaitMs, release }: Polling,
): Promise<number> {
  const deadlineMs = performance.now() + longestWaitMs;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const asked = tryTake();
    // The store may respond slowly, and an abort must not wait for the response.
    const answer = await orAbort(asked, signal).catch((error: unknown) => {
      // If the store grants a place later, release it.
      asked.then(release, () => {});
      throw error;
    });
    if (answer.state === 'taken') return answer.waitMs;
    if (answer.state === 'late') throw overBudget(host, answer.waitMs);
    if (performance.now() + pollMs > deadlineMs) throw overBudget(host, RETRY_AFTER_FULL_MS);
    // A random factor prevents waiting requests from polling at the same moments.
    await sleep(pollMs * (0.5 + Math.random()), undefined, { signal });
  }
}

function overBudget(host: string, retryAfterMs: number): SynclineError {
  return new SynclineError(
    'source-rate-limited',
    `the request budget of ${host} is used up, and the run cannot wait longer. Increase the budget in network.budgets, or sync less often`,
    { retryAfterMs },
  );
}

interface Host {
  /** The latest time at which each place becomes free again. */
  readonly places: Map<string, number>;
  /** The start time of the last request. */
  lastMs: number;
}

/** Creates a store in the memory of one process. */
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
