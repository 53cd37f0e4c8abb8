import { z } from 'zod';
import { catalogTargetId, registryNameSchema } from './names.ts';
import { filterSchema } from './policy.ts';
import { type RegistryConfig, registryConfigSchema } from './registry.ts';

export const catalogConfigSchema = z
  .strictObject({
    name: registryNameSchema,
    registries: z
      .array(registryNameSchema)
      .min(1, { error: 'expected the name of at least one registry' })
      .superRefine((names, context) => {
        for (const [index, name] of names.entries()) {
          if (names.indexOf(name) === index) continue;
          const message = `expected each registry once, but ${name} is named before`;
          context.addIssue({ code: 'custom', path: [index], message });
        }
      })
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

/** The derived registry in which a catalog is materialised: it is run, stored and served like any other. */
export function derivedRegistry({ name, registries, filter }: CatalogConfig): RegistryConfig {
  const base = registryConfigSchema.parse({
    name,
    file: { path: '/' },
    syncPolicy: { interval: CATALOG_CHECK_INTERVAL },
    // What a registry loses has passed that registry's guard.
    guard: { maxShrinkPercent: 100, allowEmpty: true },
  });
  const { file: _none, ...settings } = base;
  return { ...settings, name: catalogTargetId(name), filter, catalog: { registries } };
}
