import { z } from 'zod';
import { catalogTargetId, corsSchema, registryNameSchema, uniqueBy } from './names.ts';
import { filterSchema, limitsSchema } from './policy.ts';
import { type RegistryConfig, registryConfigSchema } from './registry.ts';

export const catalogConfigSchema = z
  .strictObject({
    name: registryNameSchema,
    registries: z
      .array(registryNameSchema)
      .min(1, { error: 'list the registries of the catalog' })
      .check(uniqueBy(String, (name) => `${name} is listed twice. List each registry once`))
      .meta({
        description:
          'The registries that the catalog combines. If several have a server of the same name, the first one in this list provides it.',
      }),
    filter: filterSchema.prefault({}),
    limits: limitsSchema.prefault({}),
    cors: corsSchema.meta({
      description:
        'Whether web pages of any origin may read the catalog. The default is `true` if they may read each of its registries.',
    }),
  })
  .meta({ description: 'One or more registries, served together under one name.' });
export type CatalogConfig = z.output<typeof catalogConfigSchema>;

/** A changed registry triggers a catalog rebuild at once. This interval covers a lost trigger. */
const CATALOG_CHECK_INTERVAL = '30s';

/** Returns the derived registry of a catalog. Syncline runs, stores and serves it like any other registry. */
export function derivedRegistry({
  name,
  registries,
  filter,
  limits,
}: CatalogConfig): RegistryConfig {
  const base = registryConfigSchema.parse({
    name,
    file: { path: '/' },
    syncPolicy: { interval: CATALOG_CHECK_INTERVAL },
    // The guards of the members have already judged lost rows.
    guard: { maxShrinkPercent: 100, allowEmpty: true },
  });
  const { file: _none, ...settings } = base;
  return { ...settings, name: catalogTargetId(name), filter, limits, catalog: { registries } };
}
