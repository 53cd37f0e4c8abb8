import { z } from 'zod';
import { durationSchema } from './duration.ts';
import { registryNameSchema } from './names.ts';
import { filterSchema, guardSchema, scheduleSchema, syncPolicySchema } from './policy.ts';
import {
  CONFIGURED_SOURCE_KINDS,
  type ConfiguredSourceKind,
  configuredSource,
  SOURCE_KINDS,
} from './sources/index.ts';

/** The kind of a source. `catalog` is derived from registries and cannot be configured. */
export type SourceKind = ConfiguredSourceKind | 'catalog';

type OptionalSources = {
  readonly [Kind in ConfiguredSourceKind]: z.ZodOptional<(typeof SOURCE_KINDS)[Kind]['schema']>;
};
const optionalSources = Object.fromEntries(
  CONFIGURED_SOURCE_KINDS.map((kind) => [kind, SOURCE_KINDS[kind].schema.optional()]),
  // Object.fromEntries loses which entry has which type.
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
        'How long ago the last successful check may be before the copy counts as stale. Without it: three intervals; with `schedule`, two days.',
    }),
    filter: filterSchema.prefault({}),
    guard: guardSchema.prefault({}),
    snapshots: z
      .int()
      .min(1)
      .max(100)
      .default(5)
      .meta({ description: 'How many snapshots are kept to roll back to.' }),
    suspended: z
      .boolean()
      .default(false)
      .meta({ description: 'Keep and serve what is there, and do not sync.' }),
  })
  .superRefine((registry, context) => {
    const sources = CONFIGURED_SOURCE_KINDS.filter((kind) => registry[kind] !== undefined);
    if (sources.length === 1) return;
    context.addIssue({
      code: 'custom',
      message: `expected exactly one source (${CONFIGURED_SOURCE_KINDS.join(', ')}), found ${
        sources.length === 0 ? 'none' : sources.join(' and ')
      }`,
    });
  })
  .meta({ description: 'An upstream that a copy is kept of.' });

/** A parsed registry of the config, with durations in milliseconds; or the derived registry of a catalog. */
export type RegistryConfig = z.output<typeof registryConfigSchema> & {
  /** The members of a derived registry, in order of precedence. */
  readonly catalog?: { readonly registries: readonly string[] };
};

const DEFAULT_STALE_INTERVALS = 3;
const DEFAULT_STALE_OF_SCHEDULE_MS = 2 * 86_400_000;

/** Returns how old the last successful check may be, in milliseconds. */
export function staleAfterMs({ staleAfter, schedule, syncPolicy }: RegistryConfig): number {
  if (staleAfter !== undefined) return staleAfter;
  if (schedule !== undefined) return DEFAULT_STALE_OF_SCHEDULE_MS;
  return DEFAULT_STALE_INTERVALS * syncPolicy.interval;
}

/** Returns the kind of a registry's source. */
export function sourceKind(registry: RegistryConfig): SourceKind {
  return configuredSource(registry)?.kind ?? 'catalog';
}

/** Returns where a registry is read from, for people, without credentials. */
export function describeSource(registry: RegistryConfig): string {
  return configuredSource(registry)?.location ?? registry.catalog?.registries.join(', ') ?? '';
}

/** Returns what decides which state a registry mirrors. The order of the keys is part of its hash. */
export function sourceIdentity(registry: RegistryConfig): object {
  return configuredSource(registry)?.identity ?? { catalog: registry.catalog?.registries };
}
