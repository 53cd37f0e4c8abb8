import { setTimeout as sleep } from 'node:timers/promises';
import { redisKeys } from '@syncline/contract';
import type { Redis } from 'ioredis';
import type { ApiClient } from '../../support/api-client.ts';
import { CATALOG, type SoakRegistries } from './registries.ts';

const CHANGE_EVERY_MS = 150;
const WALK_EVERY_MS = 300;
const LIST_EVERY_MS = 1_000;
const REQUEST_EVERY_MS = 2_000;
const AGE_EVERY_MS = 2_000;

/** Nobody reads a snapshot any more that was superseded so long ago. */
const READ_WITHIN_MS = 3_000;
/** How long a superseded snapshot is kept for its readers. */
const READER_GRACE_MS = 10 * 60_000;

export interface LoadOptions {
  readonly registries: SoakRegistries;
  readonly client: ApiClient;
  readonly redis: Redis;
  readonly prefix: string;
}

/** The load beside the ticks. */
export interface Load {
  readonly counts: {
    readonly walks: number;
    readonly requests: number;
    /** Requests that the api did not answer: it was restarting, or Redis did not answer it in time. */
    readonly unanswered: number;
  };
  /** Resolves when it has been stopped, and rejects when a part of it has failed. */
  readonly ended: Promise<unknown>;
  /** Resolves when no part of it runs any more. */
  stop(): Promise<void>;
}

/** Changes upstreams, reads catalogs and requests syncs, until it is stopped. */
export function startLoad({ registries, client, redis, prefix }: LoadOptions): Load {
  const counts = { walks: 0, requests: 0, unanswered: 0 };
  const pick = (names: readonly string[]) => names[Math.floor(names.length * Math.random())] ?? '';
  const unlessAway = async (ask: () => Promise<void>) => {
    try {
      await ask();
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      counts.unanswered += 1;
    }
  };
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = Promise.all([
    again(CHANGE_EVERY_MS, signal, () => registries.change()),
    again(WALK_EVERY_MS, signal, () =>
      unlessAway(async () => {
        await client.allServers(pick([CATALOG, ...registries.changing]));
        await client.allServers(pick(registries.all));
        counts.walks += 2;
      }),
    ),
    again(LIST_EVERY_MS, signal, () =>
      unlessAway(async () => {
        await client.get('/v1/registries');
        await client.registry(pick(registries.all));
      }),
    ),
    // Only registries whose run logs are full already; others would grow.
    again(REQUEST_EVERY_MS, signal, () =>
      unlessAway(async () => {
        await client.post(`/v1/registries/${pick(registries.changing)}/sync`);
        counts.requests += 1;
      }),
    ),
    again(AGE_EVERY_MS, signal, () => ageSnapshots({ registries, redis, prefix })),
  ]);
  running.catch(() => {});
  return {
    ended: running,
    counts,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/**
 * Makes superseded snapshots old at once. Otherwise they would be kept for ten minutes, and the stored data would
 * grow for longer than the soak takes.
 */
async function ageSnapshots({
  registries,
  redis,
  prefix,
}: Pick<LoadOptions, 'registries' | 'redis' | 'prefix'>): Promise<void> {
  const keys = redisKeys(prefix);
  const nowMs = Date.now();
  for (const registry of [...registries.changing, `catalog.${CATALOG}`]) {
    const key = keys.snapshotHistory(registry);
    const young = await redis.zrangebyscore(
      key,
      nowMs - READER_GRACE_MS,
      nowMs - READ_WITHIN_MS,
      'WITHSCORES',
    );
    for (let index = 0; index < young.length; index += 2) {
      const supersededAtMs = Number(young[index + 1]) - READER_GRACE_MS;
      await redis.zadd(key, 'XX', supersededAtMs, young[index] ?? '');
    }
  }
}

async function again(
  everyMs: number,
  signal: AbortSignal,
  act: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await act();
    await sleep(everyMs);
  }
}

function isUnanswered(error: unknown): boolean {
  // `fetch` throws this if nobody listens, or a connection breaks.
  if (error instanceof TypeError) return true;
  return error instanceof Error && error.message.includes('got 503');
}
