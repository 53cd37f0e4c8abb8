import { formatBytes } from '@syncline/contract';
import {
  FULL_SHARE,
  readAllStoredBytes,
  readServerInfo,
  redisNowMs,
  type ServerInfo,
  totalLimit,
} from '@syncline/redis';
import semver from 'semver';
import type { Store } from '../open-store.ts';
import { type Checks, type Diagnosis, problem, type Result, warning } from './finding.ts';

export interface RedisFacts extends ServerInfo {
  /** The URL without user and password. */
  readonly place: string;
  /** The median time of several round trips. */
  readonly roundTripMs: number;
  /**
   * How far this machine's clock is ahead of Redis's clock. The error is at most half a round trip.
   */
  readonly aheadMs: number;
  /** How many bytes of snapshots each registry stores, the largest first. */
  readonly storedBytes: readonly (readonly [registry: string, bytes: number])[];
  /** The most bytes of all registries. */
  readonly storedBytesLimit: number;
}

const ROUND_TRIPS = 7;

export async function observeRedis(
  { redis, keys, env }: Pick<Store, 'redis' | 'keys' | 'env'>,
  place: string,
): Promise<RedisFacts> {
  const times: number[] = [];
  for (let count = 0; count < ROUND_TRIPS; count += 1) {
    const startedAtMs = performance.now();
    await redis.ping();
    times.push(performance.now() - startedAtMs);
  }
  const roundTripMs = times.sort((a, b) => a - b)[Math.floor(ROUND_TRIPS / 2)] ?? 0;
  const info = await readServerInfo(redis);
  const beforeMs = Date.now();
  const redisMs = await redisNowMs(redis);
  const aheadMs = (beforeMs + Date.now()) / 2 - redisMs;
  const stored = await readAllStoredBytes({ redis, keys });
  return {
    ...info,
    place,
    roundTripMs,
    aheadMs,
    storedBytes: [...stored].sort(([, one], [, other]) => other - one),
    storedBytesLimit: totalLimit({ ...env, ...info }),
  };
}

const LEAST_VERSION = '6.2.0';
const WANTED_HZ = 100;
/** A value above the first limit is a warning, a value above the second limit is a problem. */
const MOST_ROUND_TRIP_MS = [50, 250] as const;
const MOST_MEMORY_SHARE = [0.8, FULL_SHARE] as const;
/** Above the first limit, registries with more than their fair share can publish nothing. */
const MOST_STORED_SHARE = [0.75, 0.95] as const;
const MOST_CLOCK_DIFFERENCE_MS = [1_000, 10_000] as const;

/** The checks of a Redis that responds. */
export const REDIS_CHECKS: Checks<RedisFacts> = {
  redis: ({ place, roundTripMs }) =>
    graded(roundTripMs, MOST_ROUND_TRIP_MS, {
      found: `${place} answers; a round trip takes ${roundTripMs.toFixed(1)} ms`,
      why: 'a run needs a few dozen round trips, and must renew its lease within seconds',
      advice: 'Run Syncline close to its Redis, and find slow commands with SLOWLOG GET.',
    }),

  'redis version': ({ version }) => {
    const parsed = semver.coerce(version);
    if (parsed !== null && semver.gte(parsed, LEAST_VERSION)) return version;
    return problem({
      found: version,
      why: 'the queue needs commands that Redis 6.2 introduced',
      advice: 'Use Redis 6.2 or newer, or Valkey.',
    });
  },

  'redis role': ({ role, isLoading, isCluster }) => {
    if (role === 'slave') {
      return problem({
        found: 'a replica',
        why: 'this Redis is a replica and refuses writes, so no run can start or end',
        advice: 'Set REDIS_URL to the address of the master, or of its sentinels.',
      });
    }
    if (isLoading) {
      return problem({
        found: 'Redis is still loading its data',
        why: 'Redis refuses all commands while it loads data',
        advice: 'Wait until Redis has loaded its data. Syncline then continues automatically.',
      });
    }
    if (isCluster) {
      return problem({
        found: 'a cluster',
        why: 'a cluster refuses commands with keys of several slots, and Syncline needs such commands',
        advice: 'Use a standalone Redis, or Redis Sentinel.',
      });
    }
    return 'master';
  },

  'redis persistence': ({ isAppendOnly, isAppendOnlyFileGood, appendFsync }) => {
    if (!isAppendOnly) {
      return warning({
        found: 'appendonly no',
        why: 'if Redis restarts, all requests, suspensions and snapshots are lost',
        advice: 'Run CONFIG SET appendonly yes, and set appendonly yes in redis.conf.',
      });
    }
    if (!isAppendOnlyFileGood) {
      return problem({
        found: 'the last write to the append-only file failed',
        why: 'Redis refuses writes, or loses them when it restarts',
        advice: 'Check the disk and the log of Redis.',
      });
    }
    if (appendFsync === 'no') {
      return warning({
        found: 'appendfsync no',
        why: 'if the machine of Redis crashes, Redis can lose acknowledged writes of the last 30 s',
        advice: 'Run CONFIG SET appendfsync everysec, and set appendfsync everysec in redis.conf.',
      });
    }
    return ['append-only file', appendFsync].filter(Boolean).join(', ');
  },

  'redis eviction': ({ maxMemoryPolicy }) => {
    if (maxMemoryPolicy === 'noeviction') return maxMemoryPolicy;
    return problem({
      found: `maxmemory-policy ${maxMemoryPolicy}`,
      why: 'if memory is short, Redis deletes leases, jobs and parts of snapshots without an error',
      advice:
        'Run CONFIG SET maxmemory-policy noeviction, and set maxmemory-policy noeviction in redis.conf.',
    });
  },

  'redis memory': ({ limitedMemoryBytes, maxMemoryBytes }) => {
    const used = `${formatBytes(limitedMemoryBytes)} used`;
    if (maxMemoryBytes === 0) return `${used}, no limit`;
    const found = `${used} of ${formatBytes(maxMemoryBytes)}`;
    const advice =
      'Increase maxmemory, or remove data of other programs. A snapshot of 100,000 rows needs about 10 MB.';
    if (limitedMemoryBytes < maxMemoryBytes) {
      return graded(limitedMemoryBytes / maxMemoryBytes, MOST_MEMORY_SHARE, {
        found,
        why: `above ${FULL_SHARE * 100} % of maxmemory, runs publish no new snapshots and fail with store-full`,
        advice,
      });
    }
    const why =
      'Redis is full and refuses writes: the queue stands still, and no request is accepted';
    return problem({ found, why, advice });
  },

  'stored bytes': ({ storedBytes, storedBytesLimit }) => {
    const total = storedBytes.reduce((sum, [, bytes]) => sum + bytes, 0);
    const found = `${formatBytes(total)} of ${formatBytes(storedBytesLimit)}`;
    const largest = storedBytes.slice(0, 3).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
    return graded(
      total / storedBytesLimit,
      MOST_STORED_SHARE,
      {
        found: `${found}; the largest: ${largest.join(', ')}`,
        why: 'registries that store more than their fair share publish no new snapshots, and fail with store-over-quota',
        advice:
          'Give Redis more memory, increase SYNCLINE_STORED_BYTES, or decrease limits.storedBytes of the largest registries.',
      },
      found,
    );
  },

  'redis hz': ({ hz }) => {
    if (hz === undefined) return 'not told';
    if (hz >= WANTED_HZ) return String(hz);
    return warning({
      found: String(hz),
      why: `a due job may wait up to ${Math.round(1_000 / hz)} ms before a worker takes it`,
      advice: `Run CONFIG SET hz ${WANTED_HZ}, and set hz ${WANTED_HZ} in redis.conf.`,
    });
  },

  clock: ({ aheadMs }) => {
    const offMs = Math.abs(aheadMs);
    const off = offMs < 1_000 ? `${Math.round(offMs)} ms` : `${(offMs / 1_000).toFixed(1)} s`;
    return graded(offMs, MOST_CLOCK_DIFFERENCE_MS, {
      found: `${off} ${aheadMs < 0 ? 'behind' : 'ahead of'} the clock of Redis`,
      why: 'workers use their own clocks for schedules, and the clock of Redis for leases',
      advice: 'Synchronize the clocks of both machines, for example with chrony.',
    });
  },
};

function graded(
  value: number,
  [most, atAll]: readonly [most: number, atAll: number],
  diagnosis: Diagnosis,
  whenGood = diagnosis.found,
): Result {
  if (value <= most) return whenGood;
  return value > atAll ? problem(diagnosis) : warning(diagnosis);
}
