import { type RedisKeys, type Run, runSchema } from '@syncline/contract';
import type { Redis } from 'ioredis';
import { toStoreError } from './store-error.ts';

const PAGE = 50;

/** The run that answered a request: the first whose answers reach that far; undefined if the log lost it. */
export async function findAnswer(
  { redis, keys }: { redis: Redis; keys: RedisKeys },
  { registry, request }: { registry: string; request: number },
): Promise<Run | undefined> {
  let answer: Run | undefined;
  for (let end = '+'; ; ) {
    const entries = await redis
      .xrevrange(keys.runs(registry), end, '-', 'COUNT', PAGE)
      .catch((error: unknown) => {
        throw toStoreError(error);
      });
    for (const [, fields] of entries) {
      const run = parseRun(fields);
      if (run === undefined) continue;
      if (run.handledRequest < request) return answer;
      // What was interrupted repeats what runs before it had answered.
      if (run.outcome !== 'interrupted') answer = run;
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return answer;
    end = `(${last[0]}`;
  }
}

/** `undefined` for what is no run, or one of a version that this build does not know. */
function parseRun(fields: string[]): Run | undefined {
  try {
    return runSchema.parse(JSON.parse(fields[fields.indexOf('run') + 1] ?? ''));
  } catch {
    return undefined;
  }
}
