import { z } from 'zod';
import { catalogConfigSchema, derivedRegistry } from './catalog.ts';
import { catalogTargetId } from './names.ts';
import { networkSchema } from './network.ts';
import { type RegistryConfig, registryConfigSchema } from './registry.ts';

/** The whole config. Each problem is an issue with a path of its own, so that all can be shown at once. */
export const configSchema = z
  .strictObject({
    registries: z
      .array(registryConfigSchema)
      .min(1, { error: 'expected at least one registry' })
      .meta({ description: 'The registries to keep copies of.' }),
    catalogs: z.array(catalogConfigSchema).default([]).meta({
      description: 'Registries served together. Each is also served under its own name.',
    }),
    network: networkSchema.prefault({}),
  })
  .superRefine((config, context) => {
    const reportDuplicates = (list: 'registries' | 'catalogs') => {
      const firstAt = new Map<string, number>();
      for (const [index, { name }] of config[list].entries()) {
        const first = firstAt.get(name);
        if (first === undefined) firstAt.set(name, index);
        else {
          context.addIssue({
            code: 'custom',
            path: [list, index, 'name'],
            message: `expected a unique name, but ${list}[${first}] is called ${name} too`,
          });
        }
      }
    };
    reportDuplicates('registries');
    reportDuplicates('catalogs');
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

/** The config, parsed. */
export type Config = z.output<typeof configSchema>;
/** The config as people write it, relative paths made absolute: the form that is stored in Redis. */
export type ConfigInput = z.input<typeof configSchema>;

/** All that is run: the registries, then the derived registries of the catalogs. */
export function syncTargets({ registries, catalogs }: Config): RegistryConfig[] {
  return [...registries, ...catalogs.map(derivedRegistry)];
}

/**
 * What serves a catalog's name: the derived registry of a catalog of that name, else the registry itself;
 * `undefined` where neither is there.
 */
export function catalogTarget({ catalogs, registries }: Config, name: string): string | undefined {
  if (catalogs.some((catalog) => catalog.name === name)) return catalogTargetId(name);
  return registries.some((registry) => registry.name === name) ? name : undefined;
}

/** Something that is wrong with a config, and where in it. */
export interface ConfigIssue {
  readonly path: readonly (string | number)[];
  /** Begins with `expected`, as the schema's own messages do. */
  readonly message: string;
}

/** Finds what a schema cannot: it takes another package to tell a good glob from a bad one. */
export type ConfigCheck = (config: Config) => readonly ConfigIssue[];
