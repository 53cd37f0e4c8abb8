import type { Redis } from 'ioredis';
import { z } from 'zod';
import { storeCall } from '../lua/lua-script.ts';

const flag = z.enum(['0', '1']).transform((value) => value === '1');

/** Services that are compatible with Redis may omit fields. */
const infoSchema = z.object({
  redis_version: z.string(),
  role: z.enum(['master', 'slave']).default('master'),
  loading: flag.default(false),
  cluster_enabled: flag.default(false),
  aof_enabled: flag.default(false),
  aof_last_write_status: z.string().default('ok'),
  used_memory: z.coerce.number().default(0),
  mem_not_counted_for_evict: z.coerce.number().default(0),
  maxmemory: z.coerce.number().default(0),
  maxmemory_policy: z.string().default('noeviction'),
  configured_hz: z.coerce.number().optional(),
  hz: z.coerce.number().optional(),
});

const memorySchema = infoSchema.pick({
  used_memory: true,
  mem_not_counted_for_evict: true,
  maxmemory: true,
});

/** The settings and the state of a Redis that Syncline depends on. */
export type ServerInfo = Awaited<ReturnType<typeof readServerInfo>>;

/** Reads {@link ServerInfo}. A setting is undefined if Redis refuses to return it. */
export async function readServerInfo(redis: Redis) {
  const [text, appendFsync] = await Promise.all([redis.info(), readSetting(redis, 'appendfsync')]);
  const info = infoSchema.parse(fieldsOf(text));
  return {
    /** The version of Redis. Valkey returns the Redis version that it is compatible with. */
    version: info.redis_version,
    role: info.role,
    /** Whether Redis is still reading its data from the disk. */
    isLoading: info.loading,
    isCluster: info.cluster_enabled,
    isAppendOnly: info.aof_enabled,
    /** `always`, `everysec` or `no`. Undefined if Redis refuses to return it. */
    appendFsync,
    /** Whether the last write to the append-only file succeeded. */
    isAppendOnlyFileGood: info.aof_last_write_status === 'ok',
    usedMemoryBytes: info.used_memory,
    /** The part of the used memory that counts for `maxMemoryBytes`. */
    limitedMemoryBytes: info.used_memory - info.mem_not_counted_for_evict,
    /** 0 without a limit. */
    maxMemoryBytes: info.maxmemory,
    maxMemoryPolicy: info.maxmemory_policy,
    /** How often per second Redis checks timeouts. */
    hz: info.configured_hz ?? info.hz,
  };
}

/** Reads the memory of Redis that counts for `maxmemory`, and `maxmemory` itself, which is 0 without a limit. */
export async function readMemory(redis: Redis) {
  const text = await storeCall(redis, redis.info('memory'));
  const info = memorySchema.parse(fieldsOf(text));
  return {
    limitedMemoryBytes: info.used_memory - info.mem_not_counted_for_evict,
    maxMemoryBytes: info.maxmemory,
  };
}

/** Returns a setting, or undefined if Redis refuses CONFIG, as many managed services do. */
async function readSetting(redis: Redis, name: string): Promise<string | undefined> {
  try {
    const reply = await redis.config('GET', name);
    return z.tuple([z.string(), z.string()]).safeParse(reply).data?.[1];
  } catch {
    return undefined;
  }
}

function fieldsOf(info: string): Record<string, string> {
  const lines = info.split(/\r?\n/).filter((line) => /^\w+:/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}
