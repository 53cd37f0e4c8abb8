import type { ServerInfo } from '@syncline/redis';
import semver from 'semver';
import { type Finding, ok, problem, warning } from './finding.ts';

export interface RedisFacts {
  /** Without user and password. */
  readonly place: string;
  readonly info: ServerInfo;
  /** The median of a few round trips. */
  readonly roundTripMs: number;
}

const LEAST_VERSION = '6.2.0';
const WANTED_HZ = 100;
const SLOW_ROUND_TRIP_MS = 50;
const SLOWEST_ROUND_TRIP_MS = 250;
const MUCH_MEMORY = 0.8;
const TOO_MUCH_MEMORY = 0.95;

const CHECKS = [checkVersion, checkRole, checkPersistence, checkEviction, checkMemory, checkHz];

/** The settings of a Redis that has answered. */
export function checkRedis(facts: RedisFacts): Finding[] {
  return [checkLatency(facts), ...CHECKS.map((check) => check(facts.info))];
}

/** A Redis that has not answered, and why. */
export function unreachableRedis(reason: string): Finding {
  return problem('redis', {
    found: reason,
    why: 'nothing is synced, served or controlled without Redis',
    advice: 'start Redis, or set REDIS_URL to where it is',
  });
}

function checkLatency({ place, roundTripMs }: RedisFacts): Finding {
  const took = `${roundTripMs.toFixed(1)} ms a round trip`;
  if (roundTripMs <= SLOW_ROUND_TRIP_MS) return ok('redis', `${place} answers, ${took}`);
  const trouble = {
    found: `${place} answers slowly, ${took}`,
    why: 'a run takes a few dozen round trips, and must renew its lease within seconds',
    advice: 'run Syncline close to its Redis; find slow commands with SLOWLOG GET',
  };
  return roundTripMs > SLOWEST_ROUND_TRIP_MS
    ? problem('redis', trouble)
    : warning('redis', trouble);
}

function checkVersion({ version }: ServerInfo): Finding {
  const parsed = semver.coerce(version);
  if (parsed !== null && semver.gte(parsed, LEAST_VERSION)) return ok('redis version', version);
  return problem('redis version', {
    found: version,
    why: 'the queue uses commands of Redis 6.2',
    advice: 'use Redis 6.2 or newer, or Valkey',
  });
}

function checkRole({ role, isLoading, isCluster }: ServerInfo): Finding {
  const check = 'redis role';
  if (role === 'slave') {
    return problem(check, {
      found: 'a replica',
      why: 'a replica refuses writes, so no run can begin or end',
      advice: 'set REDIS_URL to the master, or to its sentinels',
    });
  }
  if (isLoading) {
    return problem(check, {
      found: 'still reading its data',
      why: 'Redis refuses every command until it is done',
      advice: 'wait; Syncline continues by itself',
    });
  }
  if (isCluster) {
    return problem(check, {
      found: 'a cluster',
      why: 'Syncline writes keys of several slots together, which a cluster refuses',
      advice: 'use a standalone Redis, or Sentinel',
    });
  }
  return ok(check, 'master');
}

function checkPersistence(info: ServerInfo): Finding {
  const check = 'redis persistence';
  if (!info.isAppendOnly) {
    return warning(check, {
      found: 'appendonly no',
      why: 'a restart of Redis loses requests, suspensions and every snapshot',
      advice: 'CONFIG SET appendonly yes, and the same in redis.conf',
    });
  }
  if (!info.isAppendOnlyFileGood) {
    return problem(check, {
      found: 'the last write to the append-only file failed',
      why: 'Redis refuses writes, or loses them at its next restart',
      advice: 'check the disk of Redis, and read its log',
    });
  }
  if (info.appendFsync === 'no') {
    return warning(check, {
      found: 'appendfsync no',
      why: 'a crash of its machine loses what was acknowledged half a minute before',
      advice: 'CONFIG SET appendfsync everysec, and the same in redis.conf',
    });
  }
  return ok(check, ['append-only file', info.appendFsync].filter(Boolean).join(', '));
}

function checkEviction({ maxMemoryPolicy }: ServerInfo): Finding {
  const check = 'redis eviction';
  if (maxMemoryPolicy === 'noeviction') return ok(check, maxMemoryPolicy);
  return problem(check, {
    found: `maxmemory-policy ${maxMemoryPolicy}`,
    why: 'when memory is short, Redis drops leases, jobs and parts of snapshots without an error',
    advice: 'CONFIG SET maxmemory-policy noeviction, and the same in redis.conf',
  });
}

function checkMemory({ usedMemoryBytes, maxMemoryBytes }: ServerInfo): Finding {
  const check = 'redis memory';
  const used = `${megabytes(usedMemoryBytes)} used`;
  if (maxMemoryBytes === 0) return ok(check, `${used}, no limit`);
  const share = usedMemoryBytes / maxMemoryBytes;
  const found = `${used} of ${megabytes(maxMemoryBytes)}`;
  if (share <= MUCH_MEMORY) return ok(check, found);
  const trouble = {
    found,
    why: 'at its limit Redis refuses writes, and no run can end',
    advice: 'raise maxmemory; 100,000 rows of a registry take some 10 MB a snapshot',
  };
  return share > TOO_MUCH_MEMORY ? problem(check, trouble) : warning(check, trouble);
}

function checkHz({ hz }: ServerInfo): Finding {
  const check = 'redis hz';
  if (hz === undefined) return ok(check, 'not told');
  if (hz >= WANTED_HZ) return ok(check, String(hz));
  return warning(check, {
    found: String(hz),
    why: `a job that is due may wait for ${Math.round(1_000 / hz)} ms before a worker is told`,
    advice: `CONFIG SET hz ${WANTED_HZ}, and the same in redis.conf`,
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

const OFF_MS = 1_000;
const FAR_OFF_MS = 10_000;

/** How far this machine's clock goes before that of Redis, in milliseconds. */
export function checkClock(aheadMs: number): Finding {
  const check = 'clock';
  const off = Math.abs(aheadMs);
  const found = `${formatOff(off)} ${aheadMs < 0 ? 'behind' : 'ahead of'} the clock of Redis`;
  if (off <= OFF_MS) return ok(check, found);
  const trouble = {
    found,
    why: 'schedules follow the clocks of workers, and leases follow the clock of Redis',
    advice: 'synchronise both machines with a time server, for example with chrony',
  };
  return off > FAR_OFF_MS ? problem(check, trouble) : warning(check, trouble);
}

function formatOff(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
