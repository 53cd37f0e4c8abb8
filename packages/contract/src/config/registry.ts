import { z } from 'zod';
import { durationSchema } from './duration.ts';
import { corsSchema, registryNameSchema } from './names.ts';
import {
  filterSchema,
  guardSchema,
  limitsSchema,
  scheduleSchema,
  syncPolicySchema,
} from './policy.ts';
import {
  CONFIGURED_SOURCE_KINDS,
  type ConfiguredSourceKind,
  configuredSource,
  SOURCE_KINDS,
} from './sources/index.ts';

/** The kind of a source. A config cannot name `catalog`: Syncline derives catalogs from registries. */
export type SourceKind = ConfiguredSourceKind | 'catalog';

type OptionalSources = {
  readonly [Kind in ConfiguredSourceKind]: z.ZodOptional<(typeof SOURCE_KINDS)[Kind]['schema']>;
};
const optionalSources = Object.fromEntries(
  CONFIGURED_SOURCE_KINDS.map((kind) => [kind, SOURCE_KINDS[kind].schema.optional()]),
  // The type of Object.fromEntries does not relate keys to their types.
) as unknown as OptionalSources;

/** One entry under `registries:` of the config file. */
export const registryConfigSchema = z
  .strictObject({
    name: registryNameSchema,
    ...optionalSources,
    syncPolicy: syncPolicySchema.prefault({}),
    schedule: scheduleSchema.optional(),
    staleAfter: durationSchema({ leastMs: 1_000 }).optional().meta({
      description:
        'The copy counts as stale if the last successful check is longer ago than this. The default is three intervals, or two days if `schedule` is set.',
    }),
    filter: filterSchema.prefault({}),
    guard: guardSchema.prefault({}),
    snapshots: z
      .int()
      .min(1)
      .max(100)
      .default(5)
      .meta({ description: 'How many snapshots Syncline keeps for rollback.' }),
    limits: limitsSchema.prefault({}),
    suspended: z.boolean().default(false).meta({
      description: 'Do not sync the registry. Syncline continues to serve the stored copy.',
    }),
    cors: corsSchema.meta({
      description:
        'Whether web pages of any origin may read the registry. The default is `false` if the source uses credentials, and `true` otherwise.',
    }),
  })
  .superRefine((registry, context) => {
    const sources = CONFIGURED_SOURCE_KINDS.filter((kind) => registry[kind] !== undefined);
    if (sources.length === 1) return;
    const kinds = CONFIGURED_SOURCE_KINDS.join(', ');
    const problem =
      sources.length === 0 ? `none of ${kinds} is set` : `${sources.join(' and ')} are set`;
    context.addIssue({ code: 'custom', message: `${problem}. Set exactly one of ${kinds}` });
  })
  .meta({ description: 'A registry that Syncline mirrors.' });

/** A parsed registry of the config with durations in milliseconds, or the derived registry of a catalog. */
export type RegistryConfig = z.output<typeof registryConfigSchema> & {
  /** The members of a derived registry. If two members have the same server, the first member wins. */
  readonly catalog?: { readonly registries: readonly string[] };
};

const DEFAULT_STALE_INTERVALS = 3;
const DEFAULT_STALE_OF_SCHEDULE_MS = 2 * 86_400_000;

/** Returns how many milliseconds after the last successful check a copy becomes stale. */
export function staleAfterMs({ staleAfter, schedule, syncPolicy }: RegistryConfig): number {
  if (staleAfter !== undefined) return staleAfter;
  if (schedule !== undefined) return DEFAULT_STALE_OF_SCHEDULE_MS;
  return DEFAULT_STALE_INTERVALS * syncPolicy.interval;
}

/** Returns the kind of a registry's source. */
export function sourceKind(registry: RegistryConfig): SourceKind {
  return configuredSource(registry)?.kind ?? 'catalog';
}

/** Returns the location of a registry's source, for people to read. It has no credentials. */
export function describeSource(registry: RegistryConfig): string {
  return configuredSource(registry)?.location ?? registry.catalog?.registries.join(', ') ?? '';
}

/** Returns the settings that decide which state a registry mirrors. The order of the keys affects the hash. */
export function sourceIdentity(registry: RegistryConfig): object {
  return configuredSource(registry)?.identity ?? { catalog: registry.catalog?.registries };
}
