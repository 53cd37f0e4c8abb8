import { type RedisKeys, type Run, runSchema } from '@syncline/contract';
import type { Redis } from 'ioredis';

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
    const entries = await redis.xrevrange(keys.runs(registry), end, '-', 'COUNT', limit + 1);
    const runs = entries.slice(0, limit).map(([, fields]) => parseRun(fields));
    const last = runs.at(-1);
    return entries.length > limit && last !== undefined ? { runs, next: last.term } : { runs };
  }

  async function get(registry: string, term: string) {
    const [entry] = await redis.xrange(keys.runs(registry), `${term}-0`, `${term}-0`);
    return entry === undefined ? undefined : parseRun(entry[1]);
  }
}

function parseRun(fields: string[]): Run {
  return runSchema.parse(JSON.parse(fields[fields.indexOf('run') + 1] ?? ''));
}
