import { z } from 'zod';
import { catalogTargetId, registryNameSchema, uniqueBy } from './names.ts';
import { filterSchema } from './policy.ts';
import { type RegistryConfig, registryConfigSchema } from './registry.ts';

export const catalogConfigSchema = z
  .strictObject({
    name: registryNameSchema,
    registries: z
      .array(registryNameSchema)
      .min(1, { error: 'expected the name of at least one registry' })
      .check(uniqueBy(String, (name) => `expected each registry once, but ${name} is named before`))
      .meta({
        description:
          'The registries that the catalog serves as one. A server belongs to the first that has its name.',
      }),
    filter: filterSchema.prefault({}),
  })
  .meta({ description: 'Several registries, or one, served as one under a name.' });
export type CatalogConfig = z.output<typeof catalogConfigSchema>;

/** A change of a registry triggers a rebuild at once. This is the interval in case that trigger gets lost. */
const CATALOG_CHECK_INTERVAL = '30s';

/** Returns the derived registry in which a catalog is materialised. It is run, stored and served like any other. */
export function derivedRegistry({ name, registries, filter }: CatalogConfig): RegistryConfig {
  const base = registryConfigSchema.parse({
    name,
    file: { path: '/' },
    syncPolicy: { interval: CATALOG_CHECK_INTERVAL },
    // The members' own guards have already judged what they lose.
    guard: { maxShrinkPercent: 100, allowEmpty: true },
  });
  const { file: _none, ...settings } = base;
  return { ...settings, name: catalogTargetId(name), filter, catalog: { registries } };
}
