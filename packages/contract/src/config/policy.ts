import { z } from 'zod';
import { byteSizeSchema } from './byte-size.ts';
import { durationSchema } from './duration.ts';

export const syncPolicySchema = z
  .strictObject({
    interval: durationSchema({ leastMs: 1_000 })
      .prefault('1h')
      .meta({ description: 'How often a worker checks the registry. At least `1s`.' }),
    fullInterval: durationSchema({ leastMs: 1_000 }).prefault('24h').meta({
      description:
        'How often a worker reads the whole registry again, even if the cheap check finds no change.',
    }),
    timeout: durationSchema({ leastMs: 1_000 }).prefault('15m').meta({
      description:
        'How long one run may take. After this time the worker ends the run, and the run counts as failed.',
    }),
  })
  .meta({ description: 'When Syncline syncs the registry, and how long a run may take.' });

export const scheduleSchema = z
  .strictObject({
    pattern: z
      .string()
      .min(1)
      .max(200)
      .meta({
        description: 'A cron pattern with five fields, or with six fields if the first is seconds.',
        examples: ['0 6 * * 1-5'],
      }),
    timezone: z
      .string()
      .min(1)
      .max(100)
      .refine((zone) => isTimezone(zone), {
        error: 'use the name of a time zone such as Europe/Berlin',
      })
      .default('UTC')
      .meta({ description: 'The time zone of the pattern.' }),
  })
  .meta({
    description:
      'The times at which a worker checks the registry. Use this option instead of `syncPolicy.interval`.',
  });

const patternsSchema = z
  .strictObject({
    include: z.array(z.string().min(1)).default([]).meta({
      description:
        'Keep only servers that match one of these patterns. An empty list keeps all servers.',
    }),
    exclude: z.array(z.string().min(1)).default([]).meta({
      description:
        'Drop servers that match one of these patterns, even if `include` matches them too.',
    }),
  })
  .meta({
    description: 'Patterns that select servers. `exclude` takes precedence over `include`.',
  });

export const filterSchema = z
  .strictObject({
    names: patternsSchema.prefault({}).meta({
      description:
        'Globs that must match the whole server name. `*` also matches `/`. Globs may contain `?`, `[a-c]`, `[!x]` and `{a,b}` too.',
    }),
    tags: patternsSchema.prefault({}).meta({
      description:
        'Exact tags, from `_meta["io.modelcontextprotocol.registry/publisher-provided"]` of the server.',
    }),
  })
  .meta({
    description:
      'Selects the servers to keep. A server must pass both the `names` and the `tags` filter.',
  });

export const guardSchema = z
  .strictObject({
    maxShrinkPercent: z.number().min(0).max(100).default(20).meta({
      description:
        'The guard holds a new state if more than this percentage of the rows would disappear.',
    }),
    allowEmpty: z
      .boolean()
      .default(false)
      .meta({ description: 'Whether a worker may publish a state without rows.' }),
  })
  .meta({ description: 'Which new states the guard holds until someone approves them.' });

export const limitsSchema = z
  .strictObject({
    storedBytes: byteSizeSchema({ leastBytes: 1_000_000 }).prefault('256MiB').meta({
      description:
        'How many bytes the snapshots may take in the store, after compression. If a new snapshot would exceed this limit, Syncline first removes old snapshots. If that is not enough, the run fails, and Syncline continues to serve the stored copy.',
    }),
  })
  .meta({ description: 'What Syncline may store at most.' });

export type Filter = z.output<typeof filterSchema>;
export type Guard = z.output<typeof guardSchema>;

function isTimezone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
