import type { Redis } from 'ioredis';
import { z } from 'zod';

/** The settings and the state of a Redis that Syncline depends on. */
export interface ServerInfo {
  /** As it names itself: of Valkey, the version of Redis that it is compatible with. */
  readonly version: string;
  readonly role: 'master' | 'slave';
  /** Whether it is still reading its data from the disk. */
  readonly isLoading: boolean;
  readonly isCluster: boolean;
  readonly isAppendOnly: boolean;
  /** `always`, `everysec` or `no`; undefined if it refuses to tell. */
  readonly appendFsync: string | undefined;
  /** Whether the last write to the append-only file was good. */
  readonly isAppendOnlyFileGood: boolean;
  readonly usedMemoryBytes: number;
  /** 0 if there is no limit. */
  readonly maxMemoryBytes: number;
  readonly maxMemoryPolicy: string;
  /** How often per second it checks timeouts. */
  readonly hz: number | undefined;
}

const flag = z.enum(['0', '1']).transform((value) => value === '1');

/** A service that is compatible with Redis may omit it. */
const infoSchema = z.object({
  redis_version: z.string(),
  role: z.enum(['master', 'slave']).default('master'),
  loading: flag.default(false),
  cluster_enabled: flag.default(false),
  aof_enabled: flag.default(false),
  aof_last_write_status: z.string().default('ok'),
  used_memory: z.coerce.number().default(0),
  maxmemory: z.coerce.number().default(0),
  maxmemory_policy: z.string().default('noeviction'),
  configured_hz: z.coerce.number().optional(),
  hz: z.coerce.number().optional(),
});

/** Reads them. A setting that Redis refuses to tell is undefined. */
export async function readServerInfo(redis: Redis): Promise<ServerInfo> {
  const [text, appendFsync] = await Promise.all([redis.info(), readSetting(redis, 'appendfsync')]);
  const info = infoSchema.parse(fieldsOf(text));
  return {
    version: info.redis_version,
    role: info.role,
    isLoading: info.loading,
    isCluster: info.cluster_enabled,
    isAppendOnly: info.aof_enabled,
    appendFsync,
    isAppendOnlyFileGood: info.aof_last_write_status === 'ok',
    usedMemoryBytes: info.used_memory,
    maxMemoryBytes: info.maxmemory,
    maxMemoryPolicy: info.maxmemory_policy,
    hz: info.configured_hz ?? info.hz,
  };
}

/** Managed services often refuse CONFIG. */
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
