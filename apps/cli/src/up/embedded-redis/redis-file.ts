import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const redisFileSchema = z.object({
  /** The id of the `syncline up` process that runs Redis. */
  pid: z.int().positive(),
  /** Absent while Redis is starting. */
  url: z.url().optional(),
  redisPid: z.int().positive().optional(),
});
/**
 * The content of `redis.json` in the data directory: the processes and the URL of the embedded Redis.
 */
export type RedisFile = z.infer<typeof redisFileSchema>;

function redisFilePath(dataDir: string): string {
  return join(dataDir, 'redis.json');
}

/** Reads `redis.json`. Returns undefined if it is missing or unreadable. */
export async function readRedisFile(dataDir: string): Promise<RedisFile | undefined> {
  const text = await readFile(redisFilePath(dataDir), 'utf8').catch(() => '{}');
  try {
    return redisFileSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Replaces `redis.json` atomically, so that a reader never sees a partly written file. */
export async function writeRedisFile(dataDir: string, content: RedisFile): Promise<void> {
  const path = redisFilePath(dataDir);
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

export async function removeRedisFile(dataDir: string): Promise<void> {
  await rm(redisFilePath(dataDir), { force: true });
}

/**
 * Returns the URL of the Redis that `syncline up` runs on `dataDir`. Returns `undefined` if no
 * `syncline up` uses `dataDir`.
 */
export async function readRedisUrl(dataDir: string): Promise<string | undefined> {
  const file = await readRedisFile(dataDir);
  return file !== undefined && isAlive(file.pid) ? file.url : undefined;
}

/** Returns whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
