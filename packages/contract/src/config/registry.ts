import { z } from 'zod';
import { durationSchema } from './duration.ts';
import { registryNameSchema } from './names.ts';
import { filterSchema, guardSchema, scheduleSchema, syncPolicySchema } from './policy.ts';
import { apiSourceSchema, fileSourceSchema, gitSourceSchema } from './sources.ts';

export const CONFIGURED_SOURCE_KINDS = ['file', 'git', 'api'] as const;
/** How something is read; `catalog` is derived from registries, and cannot be configured as a source. */
export type SourceKind = (typeof CONFIGURED_SOURCE_KINDS)[number] | 'catalog';

/** One entry under `registries:`, as it stands in the config file. */
export const registryConfigSchema = z
  .strictObject({
    name: registryNameSchema,
    file: fileSourceSchema.optional(),
    git: gitSourceSchema.optional(),
    api: apiSourceSchema.optional(),
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

/** What the derived registry of a catalog is made of. */
export interface CatalogSource {
  /** In order of precedence. */
  readonly registries: readonly string[];
}

/**
 * A registry of the config, parsed: durations in milliseconds, all defaults filled in; or the derived
 * registry in which a catalog is materialised.
 */
export type RegistryConfig = z.output<typeof registryConfigSchema> & {
  readonly catalog?: CatalogSource;
};

const DEFAULT_STALE_INTERVALS = 3;
const DEFAULT_STALE_OF_SCHEDULE_MS = 2 * 86_400_000;

/** How old the last successful check may be, in milliseconds. */
export function staleAfterMs({ staleAfter, schedule, syncPolicy }: RegistryConfig): number {
  if (staleAfter !== undefined) return staleAfter;
  if (schedule !== undefined) return DEFAULT_STALE_OF_SCHEDULE_MS;
  return DEFAULT_STALE_INTERVALS * syncPolicy.interval;
}

/** The kind of a registry's source: the one block that its config has. */
export function sourceKind(registry: RegistryConfig): SourceKind {
  if (registry.catalog !== undefined) return 'catalog';
  return CONFIGURED_SOURCE_KINDS.find((kind) => registry[kind] !== undefined) ?? 'file';
}

/** Where a registry is read from, for people to read. Carries no credential. */
export function describeSource(registry: RegistryConfig): string {
  const { file, git, api, catalog } = registry;
  if (git !== undefined) {
    const ref = git.branch ?? git.tag ?? git.commit;
    return `${git.repository}${ref === undefined ? '' : `@${ref}`}:${git.path}`;
  }
  if (file !== undefined) return file.path ?? withoutQuery(file.url ?? '');
  return api?.endpoint ?? catalog?.registries.join(', ') ?? '';
}

/** A query may be what lets one in. */
function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? '';
}
