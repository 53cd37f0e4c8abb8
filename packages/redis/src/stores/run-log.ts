import { type RedisKeys, type Run, runSchema } from '@syncline/contract';
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
    const runs = page.map(([, fields]) => parseRun(fields)).filter((run) => run !== undefined);
    const [lastTerm] = page.at(-1)?.[0].split('-') ?? [];
    return entries.length > limit && lastTerm !== undefined ? { runs, next: lastTerm } : { runs };
  }

  async function get(registry: string, term: string) {
    const reply = redis.xrange(keys.runs(registry), `${term}-0`, `${term}-0`);
    const [entry] = await storeCall(redis, reply);
    return entry === undefined ? undefined : parseRun(entry[1]);
  }
}

/** `undefined` for what is no run, or one of a version that this build does not know: it hides no other. */
function parseRun(fields: string[]): Run | undefined {
  try {
    return runSchema.parse(JSON.parse(fields[fields.indexOf('run') + 1] ?? ''));
  } catch {
    return undefined;
  }
}
