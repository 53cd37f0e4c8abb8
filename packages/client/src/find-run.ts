import { parseRunEntry, type RedisKeys, type Run } from '@syncline/contract';
import type { Redis } from 'ioredis';

const PAGE = 50;

/** The run that handled a request: the first that reaches that far; undefined if the log has lost it. */
export async function findRun(
  { redis, keys }: { redis: Redis; keys: RedisKeys },
  { registry, request }: { registry: string; request: number },
): Promise<Run | undefined> {
  let found: Run | undefined;
  for (let end = '+'; ; ) {
    const entries = await redis.xrevrange(keys.runs(registry), end, '-', 'COUNT', PAGE);
    for (const [, fields] of entries) {
      const run = parseRunEntry(fields);
      if (run === undefined) continue;
      if (run.handledRequest < request) return found;
      // An interrupted run repeats what the runs before it have handled.
      if (run.outcome !== 'interrupted') found = run;
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return found;
    end = `(${last[0]}`;
  }
}
