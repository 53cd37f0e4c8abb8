import { setTimeout as sleep } from 'node:timers/promises';
import { batchesOf, QUEUE_NAME, redisKeys } from '@syncline/contract';
import type { Redis } from 'ioredis';
import { readMetrics } from '../../support/ops.ts';
import { keysOf } from '../../support/redis.ts';
import { infoNumber } from '../measure/redis-usage.ts';
import type { Fleet, Place } from './fleet.ts';

/** One quantity, at one moment. */
export interface Observed {
  readonly what: string;
  readonly unit: 'MB' | 'KB' | '';
  readonly value: number;
  readonly floor: number;
  /** The id of the process, if it is of one. */
  readonly life?: number;
}

const SAMPLES = 3;
const BETWEEN_SAMPLES_MS = 700;
const BATCH = 500;

/** Returns the usage of each process of a fleet after a garbage collection; the lowest of several readings. */
export async function observeProcesses(fleet: Fleet): Promise<readonly Observed[]> {
  const looks: (readonly Observed[])[] = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    for (const { pid } of fleet.places) process.kill(pid, 'SIGUSR2');
    await sleep(BETWEEN_SAMPLES_MS);
    looks.push((await Promise.all(fleet.places.map(observeProcess))).flat());
  }
  const [first = [], ...others] = looks;
  return first.map((observed, index) => ({
    ...observed,
    value: Math.min(observed.value, ...others.map((look) => look[index]?.value ?? Infinity)),
  }));
}

async function observeProcess({ name, pid, opsUrl }: Place): Promise<readonly Observed[]> {
  const metrics = await readMetrics(opsUrl);
  const read = (metric: string) => {
    const value = metrics.get(metric);
    if (value === undefined) throw new Error(`${name} does not tell ${metric}`);
    return value;
  };
  const megabytes = (metric: string) => read(metric) / 1e6;
  return [
    {
      what: `${name}: memory`,
      unit: 'MB',
      value: megabytes('process_resident_memory_bytes'),
      floor: 20,
      life: pid,
    },
    {
      what: `${name}: heap`,
      unit: 'MB',
      value: megabytes('nodejs_heap_size_used_bytes'),
      floor: 3,
      life: pid,
    },
    {
      what: `${name}: beside the heap`,
      unit: 'MB',
      value: megabytes('nodejs_external_memory_bytes'),
      floor: 4,
      life: pid,
    },
    {
      what: `${name}: descriptors`,
      unit: '',
      value: read('process_open_fds'),
      floor: 5,
      life: pid,
    },
  ];
}

/** Returns the usage of Redis, in all and by kind of key. */
export async function observeRedis(redis: Redis, prefix: string): Promise<readonly Observed[]> {
  const [memory, clients] = await Promise.all([redis.info('memory'), redis.info('clients')]);
  const byKind = Map.groupBy(await keysOf(redis, prefix), (key) => kindOf(key, prefix));
  const ofKinds: Observed[] = [];
  for (const [kind, keys] of [...byKind].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const kilobytes = (await bytesOf(redis, keys)) / 1e3;
    ofKinds.push({ what: `keys: ${kind}`, unit: '', value: keys.length, floor: KEYS_FLOOR });
    ofKinds.push({ what: `size: ${kind}`, unit: 'KB', value: kilobytes, floor: 300 });
  }
  return [
    { what: 'Redis: keys', unit: '', value: await redis.dbsize(), floor: KEYS_FLOOR },
    {
      what: 'Redis: data',
      unit: 'MB',
      value: infoNumber(memory, 'used_memory_dataset') / 1e6,
      floor: 1.5,
    },
    {
      what: 'Redis: connections',
      unit: '',
      value: infoNumber(clients, 'connected_clients'),
      floor: 3,
    },
    ...ofKinds,
  ];
}

/** A killed worker leaves as many jobs, with their locks, as it ran; for at most a minute and a half. */
const KEYS_FLOOR = 100;

async function bytesOf(redis: Redis, keys: readonly string[]): Promise<number> {
  let sum = 0;
  for (const batch of batchesOf(keys, BATCH)) {
    const sizes = await Promise.all(batch.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    // A key may have expired since it was found.
    for (const size of sizes) sum += size ?? 0;
  }
  return sum;
}

/** Returns the kind of a key, without the name of its subject. */
function kindOf(key: string, prefix: string): string {
  const { queuePrefix } = redisKeys(prefix);
  if (key.startsWith(queuePrefix)) {
    const [, queue = '', rest = ''] =
      /^([^:]+):(.*)$/.exec(key.slice(queuePrefix.length + 1)) ?? [];
    return `${queue === QUEUE_NAME ? 'queue' : queue} ${kindInQueue(rest)}`;
  }
  const rest = key.slice(prefix.length + 1);
  return rest.replace(/^\{[^}]*\}:/, '').replace(/^(config|preview):.*$/, '$1:…');
}

function kindInQueue(rest: string): string {
  const ofJob = /:lock$/.test(rest) ? ' lock' : '';
  if (/^repeat:.+:\d+/.test(rest)) return `scheduled job${ofJob}`;
  if (/^repeat:/.test(rest)) return 'schedule';
  if (/^\d+(:|$)/.test(rest)) return `added job${ofJob}`;
  if (/^(request|interrupted|retry|startup|config)-/.test(rest)) return `wake-up${ofJob}`;
  return rest;
}
