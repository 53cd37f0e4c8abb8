import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type NetworkConfig, SynclineError, systemClock } from '@syncline/contract';
import { orAbort } from '../source.ts';

/** A place among the requests that are under way at a host. */
export interface RequestPlace {
  /** Gives the place to others. It may be called more than once; never throws. */
  release(): void;
}

/** How much is asked of a host, by all that share the store. */
export interface RequestBudgets {
  /**
   * Waits until a request to the host may begin. A host without a budget costs nothing.
   *
   * @param options.signal ends the waiting, with its reason
   * @param options.holdMs the longest that the request may take: the place is free again after that, also
   *   where its holder has died
   * @throws SynclineError `source-rate-limited`, with `retryAfterMs`, where it would be waited for longer
   *   than {@link LONGEST_BUDGET_WAIT_MS}
   */
  take(host: string, options: { signal: AbortSignal; holdMs: number }): Promise<RequestPlace>;
}

const LONGEST_BUDGET_WAIT_MS = 30_000;

/** A free place is not announced: whoever waits for one looks again, a little later each time. */
const FIRST_LOOK_MS = 10;
const LONGEST_LOOK_MS = 250;
/** How long to stay away from a host all of whose places are taken, for longer than it is waited. */
const RETRY_AFTER_FULL_MS = 5_000;

/** What the config says of a host. */
export type RequestBudget = NetworkConfig['budgets'][number];

export type PlaceAnswer =
  /** The request may begin in so many milliseconds; the place is held until then, and while it lasts. */
  | { readonly state: 'taken'; readonly waitMs: number }
  /** All places are taken. */
  | { readonly state: 'full' }
  /** A request may begin only in so many milliseconds, which is longer than anyone waits. */
  | { readonly state: 'late'; readonly waitMs: number };

/** Where places are kept. */
export interface PlaceStore {
  tryTake(
    budget: RequestBudget,
    options: { place: string; holdMs: number; longestWaitMs: number },
  ): Promise<PlaceAnswer>;
  /** Never rejects: a place that cannot be given back is free when its time is over. */
  giveBack(host: string, place: string): Promise<void>;
}

export interface RequestBudgetsOptions {
  readonly store: PlaceStore;
  /** `network.budgets` of the config in force. */
  readonly budgets: () => readonly RequestBudget[];
  /** Unique among all that share the store. */
  readonly createPlace: () => string;
  readonly longestWaitMs?: number;
}

/** {@link RequestBudgets} on any store of places: the waiting is the same for all. */
export function createRequestBudgets(options: RequestBudgetsOptions): RequestBudgets {
  const { store, budgets } = options;
  return {
    async take(host, { signal, holdMs }) {
      signal.throwIfAborted();
      const name = host.replace(/\.$/, '');
      const budget = budgets().find((it) => it.host === name);
      if (budget === undefined) return UNLIMITED;
      const place = options.createPlace();
      const giveBack = () => void store.giveBack(name, place);
      try {
        const waitMs = await untilTaken(options, { budget, place, holdMs, signal });
        if (waitMs > 0) await sleep(waitMs, undefined, { signal });
      } catch (error) {
        giveBack();
        throw signal.aborted ? signal.reason : error;
      }
      return { release: giveBack };
    },
  };
}

const UNLIMITED: RequestPlace = { release: () => {} };

interface Wanted {
  readonly budget: RequestBudget;
  readonly place: string;
  readonly holdMs: number;
  readonly signal: AbortSignal;
}

/** @returns how long to wait until the request may begin */
async function untilTaken(
  { store, longestWaitMs = LONGEST_BUDGET_WAIT_MS }: RequestBudgetsOptions,
  { budget, place, holdMs, signal }: Wanted,
): Promise<number> {
  const deadlineMs = performance.now() + longestWaitMs;
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, LONGEST_LOOK_MS)) {
    const asked = store.tryTake(budget, { place, holdMs, longestWaitMs });
    // The store may be away for long; an abort is not to wait for it.
    const answer = await orAbort(asked, signal).catch((error: unknown) => {
      // What comes of it now is nobody's.
      asked.then(
        () => store.giveBack(budget.host, place),
        () => {},
      );
      throw error;
    });
    if (answer.state === 'taken') return answer.waitMs;
    if (answer.state === 'late') throw overBudget(budget, answer.waitMs);
    if (performance.now() + lookMs > deadlineMs) throw overBudget(budget, RETRY_AFTER_FULL_MS);
    // By chance, so that those who wait do not look at the same moments.
    await sleep(lookMs * (0.5 + Math.random()), undefined, { signal });
  }
}

function overBudget({ host }: RequestBudget, retryAfterMs: number): SynclineError {
  return new SynclineError(
    'source-rate-limited',
    `the budget of ${host} is used up for longer than a run waits`,
    { retryAfterMs },
  );
}

interface Host {
  /** When each place is free again at the latest. */
  readonly places: Map<string, number>;
  /** When the last request begins. */
  lastMs: number;
}

/** Where the budgets of several users of one process are kept. */
export function createInMemoryPlaceStore(
  clock: Pick<Clock, 'monotonic'> = systemClock,
): PlaceStore {
  const hosts = new Map<string, Host>();
  return {
    async tryTake(
      { host: name, concurrency, requestsPerSecond },
      { place, holdMs, longestWaitMs },
    ): Promise<PlaceAnswer> {
      const nowMs = clock.monotonic();
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
    async giveBack(name, place) {
      hosts.get(name)?.places.delete(place);
    },
  };
}

/** Budgets that all users of one store in this process share. */
export function createInMemoryRequestBudgets(options: {
  store: PlaceStore;
  budgets: () => readonly RequestBudget[];
  longestWaitMs?: number;
}): RequestBudgets {
  return createRequestBudgets({ ...options, createPlace: randomUUID });
}
