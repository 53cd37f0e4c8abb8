import { type Redis, readServerInfo, redisNowMs, type ServerInfo } from '@syncline/redis';
import semver from 'semver';
import { type Checks, type Diagnosis, problem, type Result, warning } from './finding.ts';

export interface RedisFacts extends ServerInfo {
  /** Without user and password. */
  readonly place: string;
  /** The median of a few round trips. */
  readonly roundTripMs: number;
  /** How far this machine's clock is ahead of that of Redis, within half a round trip. */
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
/** Values above the first are a warning, above the second a problem. */
const MOST_ROUND_TRIP_MS = [50, 250] as const;
const MOST_MEMORY_SHARE = [0.8, 0.95] as const;
const MOST_CLOCK_DIFFERENCE_MS = [1_000, 10_000] as const;

/** Checks a Redis that answers. */
export const REDIS_CHECKS: Checks<RedisFacts> = {
  redis: ({ place, roundTripMs }) =>
    graded(roundTripMs, MOST_ROUND_TRIP_MS, {
      found: `${place} answers, ${roundTripMs.toFixed(1)} ms a round trip`,
      why: 'a run takes a few dozen round trips, and must renew its lease within seconds',
      advice: 'Run Syncline close to its Redis; find slow commands with SLOWLOG GET.',
    }),

  'redis version': ({ version }) => {
    const parsed = semver.coerce(version);
    if (parsed !== null && semver.gte(parsed, LEAST_VERSION)) return version;
    return problem({
      found: version,
      why: 'the queue uses commands of Redis 6.2',
      advice: 'Use Redis 6.2 or newer, or Valkey.',
    });
  },

  'redis role': ({ role, isLoading, isCluster }) => {
    if (role === 'slave') {
      return problem({
        found: 'a replica',
        why: 'a replica refuses writes, so no run can begin or end',
        advice: 'Set REDIS_URL to the master, or to its sentinels.',
      });
    }
    if (isLoading) {
      return problem({
        found: 'still reading its data',
        why: 'Redis refuses every command until it is done',
        advice: 'Wait; Syncline continues by itself.',
      });
    }
    if (isCluster) {
      return problem({
        found: 'a cluster',
        why: 'Syncline writes keys of several slots together, which a cluster refuses',
        advice: 'Use a standalone Redis, or Sentinel.',
      });
    }
    return 'master';
  },

  'redis persistence': ({ isAppendOnly, isAppendOnlyFileGood, appendFsync }) => {
    if (!isAppendOnly) {
      return warning({
        found: 'appendonly no',
        why: 'a restart of Redis loses requests, suspensions and every snapshot',
        advice: 'CONFIG SET appendonly yes, and the same in redis.conf.',
      });
    }
    if (!isAppendOnlyFileGood) {
      return problem({
        found: 'the last write to the append-only file failed',
        why: 'Redis refuses writes, or loses them at its next restart',
        advice: 'Check the disk of Redis, and read its log.',
      });
    }
    if (appendFsync === 'no') {
      return warning({
        found: 'appendfsync no',
        why: 'a crash of its machine loses what was acknowledged half a minute before',
        advice: 'CONFIG SET appendfsync everysec, and the same in redis.conf.',
      });
    }
    return ['append-only file', appendFsync].filter(Boolean).join(', ');
  },

  'redis eviction': ({ maxMemoryPolicy }) => {
    if (maxMemoryPolicy === 'noeviction') return maxMemoryPolicy;
    return problem({
      found: `maxmemory-policy ${maxMemoryPolicy}`,
      why: 'when memory is short, Redis drops leases, jobs and parts of snapshots without an error',
      advice: 'CONFIG SET maxmemory-policy noeviction, and the same in redis.conf.',
    });
  },

  'redis memory': ({ usedMemoryBytes, maxMemoryBytes }) => {
    const used = `${megabytes(usedMemoryBytes)} used`;
    if (maxMemoryBytes === 0) return `${used}, no limit`;
    return graded(usedMemoryBytes / maxMemoryBytes, MOST_MEMORY_SHARE, {
      found: `${used} of ${megabytes(maxMemoryBytes)}`,
      why: 'at its limit Redis refuses writes, and no run can end',
      advice: 'Raise maxmemory; 100,000 rows of a registry take some 10 MB a snapshot.',
    });
  },

  'redis hz': ({ hz }) => {
    if (hz === undefined) return 'not told';
    if (hz >= WANTED_HZ) return String(hz);
    return warning({
      found: String(hz),
      why: `a job that is due may wait for ${Math.round(1_000 / hz)} ms before a worker is told`,
      advice: `CONFIG SET hz ${WANTED_HZ}, and the same in redis.conf.`,
    });
  },

  clock: ({ aheadMs }) => {
    const offMs = Math.abs(aheadMs);
    const off = offMs < 1_000 ? `${Math.round(offMs)} ms` : `${(offMs / 1_000).toFixed(1)} s`;
    return graded(offMs, MOST_CLOCK_DIFFERENCE_MS, {
      found: `${off} ${aheadMs < 0 ? 'behind' : 'ahead of'} the clock of Redis`,
      why: 'schedules follow the clocks of workers, and leases follow the clock of Redis',
      advice: 'Synchronise both machines with a time server, for example with chrony.',
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
