import { z } from 'zod';
import { durationSchema } from './duration.ts';

/** Names of registries and catalogs: a DNS label. */
export const registryNameSchema = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, {
    error:
      'expected 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit',
  })
  .meta({ description: 'Unique name: 1 to 63 characters of `a-z`, `0-9` and `-`.' });

const fileSourceSchema = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .meta({
        description: 'A file that holds a registry; relative to the config file.',
        examples: ['./registry.json'],
      }),
  })
  .meta({ description: 'A file on the workers’ disk.' });

const apiSourceSchema = z
  .strictObject({
    // Not z.httpUrl: that one refuses addresses and names without a dot, as are usual inside a cluster.
    endpoint: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .refine(isPlainUrl, {
        error: 'expected a URL without user, password, query or fragment',
      })
      .meta({
        description: 'Base URL of an MCP Registry API, without `/v0.1`.',
        examples: ['https://registry.modelcontextprotocol.io'],
      }),
    timeout: durationSchema({ leastMs: 100 })
      .prefault('30s')
      .meta({ description: 'How long one request may take, to the last byte of its answer.' }),
  })
  .meta({ description: 'A registry that serves the MCP Registry API.' });

/** A URL is shown wherever its registry is: it must not carry what is secret. */
function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  return url === null || url.username + url.password + url.search + url.hash === '';
}

const syncPolicySchema = z
  .strictObject({
    interval: durationSchema({ leastMs: 1_000 })
      .prefault('1h')
      .meta({ description: 'How often the registry is checked; at least `1s`.' }),
    fullInterval: durationSchema({ leastMs: 1_000 }).prefault('24h').meta({
      description:
        'How often everything is read again, even where a cheap check says that nothing changed.',
    }),
    timeout: durationSchema({ leastMs: 1_000 })
      .prefault('15m')
      .meta({ description: 'How long one run may take before it is ended and counts as failed.' }),
  })
  .meta({ description: 'When the registry is synced, and for how long a run may go on.' });

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

const filterSchema = z
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

const guardSchema = z
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

/** One entry under `registries:`, as it stands in the config file. */
export const registryConfigSchema = z
  .strictObject({
    name: registryNameSchema,
    file: fileSourceSchema.optional(),
    api: apiSourceSchema.optional(),
    syncPolicy: syncPolicySchema.prefault({}),
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
    const sources = SOURCE_KINDS.filter((kind) => registry[kind] !== undefined);
    if (sources.length === 1) return;
    context.addIssue({
      code: 'custom',
      message: `expected exactly one source (${SOURCE_KINDS.join(' or ')}), found ${
        sources.length === 0 ? 'none' : sources.join(' and ')
      }`,
    });
  })
  .meta({ description: 'An upstream that a copy is kept of.' });

export const SOURCE_KINDS = ['file', 'api'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** A registry of the config, parsed: durations in milliseconds, all defaults filled in. */
export type RegistryConfig = z.output<typeof registryConfigSchema>;
export type Filter = RegistryConfig['filter'];
export type Guard = RegistryConfig['guard'];

const catalogConfigSchema = z
  .strictObject({
    name: registryNameSchema,
    registries: z
      .array(registryNameSchema)
      .length(1, { error: 'expected the name of one registry' })
      .meta({ description: 'The registry that the catalog serves.' }),
  })
  .meta({ description: 'A name under which a registry is served.' });
export type CatalogConfig = z.output<typeof catalogConfigSchema>;

const networkSchema = z
  .strictObject({
    userAgent: z
      .string()
      .min(1)
      .regex(/^[\x20-\x7e]+$/, { error: 'expected printable ASCII' })
      .optional()
      .meta({
        description: 'Sent with every request; say who you are and how to reach you.',
        examples: ['acme-syncline (ops@acme.example)'],
      }),
  })
  .meta({ description: 'How Syncline behaves towards others on the network.' });

/** The whole config. Each problem is an issue with a path of its own, so that all can be shown at once. */
export const configSchema = z
  .strictObject({
    registries: z
      .array(registryConfigSchema)
      .min(1, { error: 'expected at least one registry' })
      .meta({ description: 'The registries to keep copies of.' }),
    catalogs: z
      .array(catalogConfigSchema)
      .default([])
      .meta({ description: 'Further names to serve registries under, beside their own.' }),
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

/** The kind of a registry's source: the one block that its config has. */
export function sourceKind(registry: RegistryConfig): SourceKind {
  return registry.file === undefined ? 'api' : 'file';
}

/** Where a registry is read from, for people to read. Carries no credential. */
export function describeSource(registry: RegistryConfig): string {
  return registry.file?.path ?? registry.api?.endpoint ?? '';
}

/** The registry that a catalog's name serves: a catalog of that name, else the registry itself. */
export function catalogRegistry(config: Config, catalog: string): string | undefined {
  const configured = config.catalogs.find(({ name }) => name === catalog);
  if (configured !== undefined) return configured.registries[0];
  return config.registries.some(({ name }) => name === catalog) ? catalog : undefined;
}
