import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '@syncline/contract';
import {
  createRequestBudgets,
  type PlaceAnswer,
  type PlaceStore,
  type RequestBudget,
} from './request-budgets.ts';
import type { RequestBudgets } from './request-budgets-port.ts';

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
