import { readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { type Lifetime, type RedisServerHandle, startRedisServer } from '@syncline/test/support';
import { Redis } from 'ioredis';

/** The Redis of the system under test, and what can be done to it. */
export interface Store {
  /** As processes are told. */
  readonly url: string;
  /** All that a process connects to. */
  readonly ports: readonly number[];
  /** The server that takes writes now. */
  readonly primary: RedisServerHandle;
  /** Has no room for its append-only file, until the result is called. */
  fillDisk(): Promise<() => Promise<void>>;
  /** Has no memory for what is written, and throws nothing away for it; until the result is called. */
  fillMemory(): Promise<() => Promise<void>>;
}

/** One server. */
export async function startSingleStore(options: {
  directory: string;
  lifetime: Lifetime;
}): Promise<Store> {
  const directory = path.join(options.directory, 'redis');
  const server = await startRedisServer({ directory, lifetime: options.lifetime });
  return {
    url: server.url,
    ports: [server.port],
    primary: server,
    fillDisk: () => fillDisk(server, directory),
    fillMemory: () => fillMemory(server),
  };
}

/** Where each write fails for want of room: `full(4)`. */
const FULL_DEVICE = '/dev/full';
const AOF_DIRECTORY = 'appendonlydir';

/** Redis begins a new file at each rewrite; the first lies on a disk that is full, the second one does not. */
async function fillDisk(
  server: RedisServerHandle,
  directory: string,
): Promise<() => Promise<void>> {
  const files = path.join(directory, AOF_DIRECTORY);
  const numbers = (await readdir(files)).flatMap(
    (name) => /\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? [],
  );
  const next = Math.max(...numbers.map(Number)) + 1;
  await symlink(FULL_DEVICE, path.join(files, `appendonly.aof.${next}.incr.aof`));
  await ask(server, (redis) => redis.bgrewriteaof());
  return () => ask(server, (redis) => redis.bgrewriteaof());
}

async function fillMemory(server: RedisServerHandle): Promise<() => Promise<void>> {
  const setMaximum = (bytes: number) =>
    ask(server, (redis) => redis.config('SET', 'maxmemory', bytes));
  await setMaximum(1);
  return () => setMaximum(0);
}

async function ask(
  { url }: RedisServerHandle,
  question: (redis: Redis) => Promise<unknown>,
): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  try {
    await question(redis);
  } finally {
    redis.disconnect();
  }
}
