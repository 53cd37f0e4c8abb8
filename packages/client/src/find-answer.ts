import { type RedisKeys, type Run, runSchema } from '@syncline/contract';
import type { Redis } from 'ioredis';

const PAGE = 50;

/** The run that answered a request: the first whose answers reach that far; undefined if the log lost it. */
export async function findAnswer(
  { redis, keys }: { redis: Redis; keys: RedisKeys },
  { registry, request }: { registry: string; request: number },
): Promise<Run | undefined> {
  let answer: Run | undefined;
  for (let end = '+'; ; ) {
    const entries = await redis.xrevrange(keys.runs(registry), end, '-', 'COUNT', PAGE);
    for (const [, fields] of entries) {
      const run = runSchema.parse(JSON.parse(fields[fields.indexOf('run') + 1] ?? ''));
      if (run.handledRequest < request) return answer;
      // What was interrupted repeats what runs before it had answered.
      if (run.outcome !== 'interrupted') answer = run;
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return answer;
    end = `(${last[0]}`;
  }
}
