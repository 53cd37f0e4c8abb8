import { parseRunEntry, type RedisKeys, type Run } from '@syncline/contract';
import type { Redis } from 'ioredis';
import { storeCall } from './store-errors.ts';

/** The runs of a registry, newest first. */
export interface RunLog {
  /** @param options.before a term: only runs older than this one */
  list(
    registry: string,
    options: { before?: string; limit: number },
  ): Promise<{ runs: Run[]; next?: string }>;
  get(registry: string, term: string): Promise<Run | undefined>;
}

export function createRunLog({ redis, keys }: { redis: Redis; keys: RedisKeys }): RunLog {
  return { list, get };

  async function list(registry: string, { before, limit }: { before?: string; limit: number }) {
    // One more than asked for tells whether there are more.
    const end = before === undefined ? '+' : `(${before}-0`;
    const reply = redis.xrevrange(keys.runs(registry), end, '-', 'COUNT', limit + 1);
    const entries = await storeCall(redis, reply);
    const page = entries.slice(0, limit);
    const runs = page.map(([, fields]) => parseRunEntry(fields)).filter((run) => run !== undefined);
    const [lastTerm] = page.at(-1)?.[0].split('-') ?? [];
    return entries.length > limit && lastTerm !== undefined ? { runs, next: lastTerm } : { runs };
  }

  async function get(registry: string, term: string) {
    const reply = redis.xrange(keys.runs(registry), `${term}-0`, `${term}-0`);
    const [entry] = await storeCall(redis, reply);
    return entry === undefined ? undefined : parseRunEntry(entry[1]);
  }
}
