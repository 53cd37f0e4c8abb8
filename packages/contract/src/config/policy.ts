import { z } from 'zod';
import { durationSchema } from './duration.ts';

export const syncPolicySchema = z
  .strictObject({
    interval: durationSchema({ leastMs: 1_000 })
      .prefault('1h')
      .meta({ description: 'How often the registry is checked; at least `1s`.' }),
    fullInterval: durationSchema({ leastMs: 1_000 }).prefault('24h').meta({
      description: 'How often everything is read again, even if the cheap check finds no change.',
    }),
    timeout: durationSchema({ leastMs: 1_000 })
      .prefault('15m')
      .meta({ description: 'How long one run may take before it is ended and counts as failed.' }),
  })
  .meta({ description: 'When the registry is synced, and for how long a run may go on.' });

export const scheduleSchema = z
  .strictObject({
    pattern: z
      .string()
      .min(1)
      .max(200)
      .meta({
        description: 'A cron pattern of five fields, or six with seconds first.',
        examples: ['0 6 * * 1-5'],
      }),
    timezone: z
      .string()
      .min(1)
      .max(100)
      .refine((zone) => isTimezone(zone), {
        error: 'expected the name of a time zone such as Europe/Berlin',
      })
      .default('UTC')
      .meta({ description: 'The time zone that the pattern is meant in.' }),
  })
  .meta({ description: 'When the registry is checked, instead of `syncPolicy.interval`.' });

const patternsSchema = z
  .strictObject({
    include: z
      .array(z.string().min(1))
      .default([])
      .meta({ description: 'Keep what matches one of these; empty keeps all.' }),
    exclude: z
      .array(z.string().min(1))
      .default([])
      .meta({ description: 'Drop what matches one of these, also where `include` matches.' }),
  })
  .meta({ description: 'Patterns to keep and to drop by; dropping beats keeping.' });

export const filterSchema = z
  .strictObject({
    names: patternsSchema.prefault({}).meta({
      description:
        'Globs over the whole server name; `*` crosses `/`. Also `?`, `[a-c]`, `[!x]`, `{a,b}`.',
    }),
    tags: patternsSchema.prefault({}).meta({
      description:
        'Exact tags, as found under `_meta["io.modelcontextprotocol.registry/publisher-provided"]`.',
    }),
  })
  .meta({ description: 'Which servers are kept. Name and tag must both pass.' });

export const guardSchema = z
  .strictObject({
    maxShrinkPercent: z.number().min(0).max(100).default(20).meta({
      description: 'A state that has lost more than this share of its rows is held back.',
    }),
    allowEmpty: z
      .boolean()
      .default(false)
      .meta({ description: 'Whether a state without any row may be published.' }),
  })
  .meta({ description: 'What is held back from being published until someone approves it.' });

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
