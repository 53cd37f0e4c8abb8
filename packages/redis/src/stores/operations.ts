import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisKeys, type Run, runId, SynclineError, settledPhase } from '@syncline/contract';
import { blobDigests, decodeManifest, type Manifest, type SnapshotStore } from '@syncline/snapshot';
import { type Acquisition, countsOf, DEFAULT_LEASE_TIMES, type RunStore } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { addHint, requestFollowers, type SyncQueue } from '../queue/queue.ts';
import { createRegistryReader, redisNowMs } from './registry-reader.ts';
import { namingKeys } from './store-errors.ts';

/** Why a registry is suspended, and by whom, as they say themselves. */
export interface Suspension {
  readonly note?: string;
  readonly author?: string;
}

/** What operators do to a registry. */
export interface Operations {
  /** Ends a run that is under way within one renewal, and keeps others from fetching. */
  suspend(registry: string, suspension: Suspension): Promise<void>;
  /** Lifts a suspension, and the pin of a rollback, and has the registry synced. */
  resume(registry: string): Promise<void>;
  /**
   * Serves an earlier snapshot, and nothing else until {@link resume}.
   *
   * @param options.snapshot a digest, or the beginning of one
   * @throws SynclineError `unknown-snapshot`, `registry-busy`
   */
  rollback(registry: string, options: { snapshot: string }): Promise<{ snapshot: string }>;
  /**
   * Publishes the snapshot that a guard holds back.
   *
   * @throws SynclineError `unknown-snapshot` where it is not the one that is held; `registry-busy`
   */
  approve(registry: string, options: { snapshot: string }): Promise<{ snapshot: string }>;
}

export interface OperationsDependencies {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly queue: SyncQueue;
  readonly runStore: RunStore;
  readonly snapshots: SnapshotStore;
  readonly owner: string;
  /** The catalogs that are to be built anew when a registry has another snapshot. */
  readonly followersOf: (registry: string) => readonly string[];
}

/** A run that is asked to end does so at its next renewal; this is time for two, and for its goodbye. */
const LEASE_WAIT_MS = 3 * DEFAULT_LEASE_TIMES.renewEveryMs;
const LEASE_POLL_MS = 100;

const FIELDS_OF_OPERATORS = ['suspended', 'note', 'author', 'suspendedAt', 'pinned'];

type Acquired = Extract<Acquisition, { state: 'acquired' }>;

export function createOperations(deps: OperationsDependencies): Operations {
  const { redis, keys, queue, snapshots, runStore, owner } = deps;
  const reader = createRegistryReader({ redis, keys });

  return namingKeys<Operations>(redis, {
    suspend: (registry, suspension) => suspend(redis, keys.control(registry), suspension),

    async resume(registry) {
      await redis.hdel(keys.control(registry), ...FIELDS_OF_OPERATORS);
      await addHint(queue, {
        kind: 'config',
        registry,
        since: `resumed-${Date.now()}`,
        delayMs: 0,
      });
    },

    async rollback(registry, { snapshot }) {
      const digest = await resolveSnapshot(registry, snapshot);
      const key = keys.control(registry);
      const before = await redis.hget(key, 'pinned');
      // First the pin: it makes a run that is under way give up its lease.
      await redis.hset(key, 'pinned', digest);
      try {
        await publish(registry, { digest, pin: true, message: 'rolled back' });
      } catch (error) {
        if (before === null) await redis.hdel(key, 'pinned');
        else await redis.hset(key, 'pinned', before);
        throw error;
      }
      return { snapshot: digest };
    },

    async approve(registry, { snapshot }) {
      const { registries } = await reader.readMany([registry]);
      const held = registries.get(registry)?.status.held?.snapshot;
      if (held === undefined || !held.startsWith(snapshot)) {
        throw new SynclineError('unknown-snapshot', `${registry} holds no snapshot ${snapshot}`, {
          expected: held === undefined ? 'a registry that holds one' : `the one it holds, ${held}`,
        });
      }
      await publish(registry, { digest: held, pin: false, message: 'approved' });
      return { snapshot: held };
    },
  });

  async function resolveSnapshot(registry: string, prefix: string): Promise<string> {
    const history = await snapshots.history(registry);
    const matches = history.map(({ manifest }) => manifest).filter((it) => it.startsWith(prefix));
    const [digest, other] = matches;
    if (digest === undefined || other !== undefined || prefix === '') {
      const found = digest === undefined ? 'none' : 'several';
      throw new SynclineError('unknown-snapshot', `${registry} keeps ${found} of ${prefix}`, {
        expected: `one of ${history.map(({ manifest }) => manifest.slice(0, 12)).join(', ')}`,
      });
    }
    return digest;
  }

  async function publish(
    registry: string,
    { digest, pin, message }: { digest: string; pin: boolean; message: string },
  ): Promise<void> {
    const acquired = await waitForLease(registry);
    const { lease } = acquired;
    try {
      const manifest = await readManifest(registry, digest);
      const finished = await runStore.publishAndFinish(
        lease,
        operatorEnding(acquired, { digest, manifest, message }),
        { manifest: digest, chunks: blobDigests(manifest), pin },
      );
      if (finished.state === 'refused') throw busy(registry);
      if (finished.state === 'incomplete') {
        throw new SynclineError('snapshot-incomplete', `${registry} lacks ${finished.missing}`);
      }
    } catch (error) {
      await release(acquired);
      throw error;
    }
    await requestFollowers({ redis, keys, queue }, deps.followersOf(registry));
  }

  async function waitForLease(registry: string): Promise<Acquired> {
    const { leaseTtlMs: ttlMs } = DEFAULT_LEASE_TIMES;
    const untilMs = Date.now() + LEASE_WAIT_MS;
    do {
      const acquisition = await runStore.acquire({
        registry,
        owner,
        ttlMs,
        wish: { kind: 'tick' },
      });
      if (acquisition.state === 'acquired') return acquisition;
      await sleep(LEASE_POLL_MS);
    } while (Date.now() < untilMs);
    throw busy(registry);
  }

  async function readManifest(registry: string, digest: string): Promise<Manifest> {
    const bytes = await snapshots.readManifest(registry, digest);
    if (bytes !== undefined) return decodeManifest({ digest, bytes });
    throw new SynclineError('unknown-snapshot', `${registry} keeps no snapshot ${digest}`);
  }

  /** Gives the lease back, and leaves the registry as it was. */
  async function release({ lease, status }: Acquired): Promise<void> {
    const startsWithoutFinish = Math.max(0, status.startsWithoutFinish - 1);
    await runStore.finish(lease, { changes: { startsWithoutFinish, phase: settledPhase(status) } });
  }
}

async function suspend(redis: Redis, key: string, { note, author }: Suspension): Promise<void> {
  const suspendedAt = new Date(await redisNowMs(redis)).toISOString();
  const fields = {
    suspended: '1',
    suspendedAt,
    ...(note === undefined ? {} : { note }),
    ...(author === undefined ? {} : { author }),
  };
  // What someone else has said before is not what this one says.
  await redis.hdel(key, 'note', 'author');
  await redis.hset(key, fields);
}

function busy(registry: string): SynclineError {
  return new SynclineError('registry-busy', `${registry} is being synced`, {
    expected: 'the run to end; try again',
  });
}

/** What an operator's flip leaves in status and run log. */
function operatorEnding(
  { lease, nowMs, status, control }: Acquired,
  { digest, manifest, message }: { digest: string; manifest: Manifest; message: string },
) {
  const now = new Date(nowMs).toISOString();
  const run: Run = {
    id: runId(lease.registry, lease.term),
    registry: lease.registry,
    term: lease.term,
    owner: lease.owner,
    trigger: 'manual',
    outcome: 'published',
    startedAt: now,
    finishedAt: now,
    durationMs: 0,
    handledRequest: control.handled,
    upstream: { requests: 0, bytes: 0 },
    snapshot: digest,
    rowCount: manifest.rowCount,
  };
  const changes = {
    ...countsOf({ manifest }),
    phase: 'Complete',
    startsWithoutFinish: 0,
    snapshot: digest,
    held: undefined,
    // What is served is not what the source had: the next run must not take it for known.
    revision: undefined,
    message,
    lastChangeAt: now,
    lastSuccessAt: status.lastSuccessAt ?? now,
  } as const;
  return { changes, run };
}
