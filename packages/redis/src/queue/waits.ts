import { z } from 'zod';
import type { KeyAccess } from '../lua/lua-script.ts';

const waitsSchema = z.object({ count: z.number(), longestMs: z.number() });

const processWaitsSchema = z.object({
  /** The runs that wait for memory. */
  memory: waitsSchema,
  /** The runs that wait until fewer runs parse or build. */
  build: waitsSchema,
  /** The runs with the most memory, largest first. */
  holders: z.array(z.object({ name: z.string(), bytes: z.number() })),
});

/** The runs of a worker that wait for something of this worker. */
export type ProcessWaits = z.infer<typeof processWaitsSchema>;

/** A worker writes its waits more often than this. */
const VALID_MS = 20_000;

const storedSchema = processWaitsSchema.extend({ atMs: z.number() });

/** Shows the waits of a worker to others for some seconds; with `undefined`, removes them. */
export async function writeWaits(
  { redis, keys }: KeyAccess,
  owner: string,
  waits: ProcessWaits | undefined,
): Promise<void> {
  if (waits === undefined) {
    await redis.hdel(keys.waits, owner);
    return;
  }
  const atMs = Date.now();
  await redis
    .multi()
    .hset(keys.waits, owner, JSON.stringify({ ...waits, atMs }))
    .pexpire(keys.waits, VALID_MS)
    .exec();
}

/** Returns the waits of the workers that have some, by their names. */
export async function readWaits({
  redis,
  keys,
}: KeyAccess): Promise<ReadonlyMap<string, ProcessWaits>> {
  const stored = await redis.hgetall(keys.waits);
  const found = new Map<string, ProcessWaits>();
  for (const [owner, text] of Object.entries(stored)) {
    const { data } = storedSchema.safeParse(parsed(text));
    // A dead worker does not remove its waits.
    if (data !== undefined && Date.now() - data.atMs < VALID_MS) found.set(owner, data);
  }
  return found;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
