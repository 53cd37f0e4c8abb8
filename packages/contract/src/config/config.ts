import { z } from 'zod';
import { catalogConfigSchema, derivedRegistry } from './catalog.ts';
import { catalogTargetId, uniqueBy } from './names.ts';
import { networkSchema } from './network.ts';
import { type RegistryConfig, registryConfigSchema } from './registry.ts';

const uniqueName = (list: 'registries' | 'catalogs') =>
  uniqueBy(
    ({ name }: { name: string }) => name,
    ({ name }, first) => `expected a unique name, but ${list}[${first}] is called ${name} too`,
    ['name'],
  );

/** The whole config. Each problem is an issue with a path of its own, and all are reported at once. */
export const configSchema = z
  .strictObject({
    registries: z
      .array(registryConfigSchema)
      .min(1, { error: 'expected at least one registry' })
      .check(uniqueName('registries'))
      .meta({ description: 'The registries to keep copies of.' }),
    catalogs: z.array(catalogConfigSchema).check(uniqueName('catalogs')).default([]).meta({
      description: 'Registries served together. Each is also served under its own name.',
    }),
    network: networkSchema.prefault({}),
  })
  .superRefine((config, context) => {
    const known = new Set(config.registries.map(({ name }) => name));
    for (const [index, catalog] of config.catalogs.entries()) {
      for (const [place, name] of catalog.registries.entries()) {
        if (known.has(name)) continue;
        context.addIssue({
          code: 'custom',
          path: ['catalogs', index, 'registries', place],
          message: `expected the name of a registry in this config (${[...known].join(', ')}), found ${name}`,
        });
      }
    }
  });

export type Config = z.output<typeof configSchema>;
/** The config as people write it, but with absolute paths. Redis stores this form. */
export type ConfigInput = z.input<typeof configSchema>;

/** Returns everything that is synced: the registries, then the derived registries of the catalogs. */
export function syncTargets({ registries, catalogs }: Config): RegistryConfig[] {
  return [...registries, ...catalogs.map(derivedRegistry)];
}

/**
 * Returns the name of the registry that is served under a name: the derived registry of a catalog, else
 * the registry itself. `undefined` if neither exists.
 */
export function catalogTarget({ catalogs, registries }: Config, name: string): string | undefined {
  if (catalogs.some((catalog) => catalog.name === name)) return catalogTargetId(name);
  return registries.some((registry) => registry.name === name) ? name : undefined;
}

/** A problem of a config, and its place. */
export interface ConfigIssue {
  readonly path: readonly (string | number)[];
  /** Begins with `expected`, as the schema's own messages do. */
  readonly message: string;
}

/** Finds problems that a schema cannot find, such as invalid globs, which another package parses. */
export type ConfigCheck = (config: Config) => readonly ConfigIssue[];
