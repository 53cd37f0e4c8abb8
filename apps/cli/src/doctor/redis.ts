import { type Redis, readServerInfo, redisNowMs, type ServerInfo } from '@syncline/redis';
import semver from 'semver';
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
}

const ROUND_TRIPS = 7;

export async function observeRedis(redis: Redis, place: string): Promise<RedisFacts> {
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
  return { ...info, place, roundTripMs, aheadMs };
}

const LEAST_VERSION = '6.2.0';
const WANTED_HZ = 100;
/** A value above the first limit is a warning, a value above the second limit is a problem. */
const MOST_ROUND_TRIP_MS = [50, 250] as const;
const MOST_MEMORY_SHARE = [0.8, 0.95] as const;
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

  'redis memory': ({ usedMemoryBytes, maxMemoryBytes }) => {
    const used = `${megabytes(usedMemoryBytes)} used`;
    if (maxMemoryBytes === 0) return `${used}, no limit`;
    return graded(usedMemoryBytes / maxMemoryBytes, MOST_MEMORY_SHARE, {
      found: `${used} of ${megabytes(maxMemoryBytes)}`,
      why: 'at the limit, Redis refuses writes, and no run can end',
      advice: 'Increase maxmemory. A snapshot of 100,000 rows needs about 10 MB.',
    });
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
): Result {
  if (value <= most) return diagnosis.found;
  return value > atAll ? problem(diagnosis) : warning(diagnosis);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
