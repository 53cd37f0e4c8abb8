import { z } from 'zod';
import { accessSchema } from './access.ts';
import { catalogConfigSchema, derivedRegistry } from './catalog.ts';
import { catalogTargetId, uniqueBy } from './names.ts';
import { networkSchema } from './network.ts';
import { type RegistryConfig, registryConfigSchema } from './registry.ts';

const uniqueName = (list: 'registries' | 'catalogs') =>
  uniqueBy(
    ({ name }: { name: string }) => name,
    ({ name }, first) => `${list}[${first}] has the name ${name} too. Use a unique name`,
    ['name'],
  );

function configOf<Registry extends z.ZodType<RegistryConfig>>(registry: Registry) {
  return z
    .strictObject({
      registries: z
        .array(registry)
        .min(1, { error: 'list at least one registry' })
        .check(uniqueName('registries'))
        .meta({ description: 'The registries that Syncline mirrors.' }),
      catalogs: z.array(catalogConfigSchema).check(uniqueName('catalogs')).prefault([]).meta({
        description:
          'Catalogs combine registries and serve them under one name. Each registry is also served under its own name.',
      }),
      network: networkSchema.prefault({}),
      access: accessSchema.prefault({}),
    })
    .superRefine((config, context) => {
      const known = new Set(config.registries.map(({ name }) => name));
      for (const [index, catalog] of config.catalogs.entries()) {
        for (const [place, name] of catalog.registries.entries()) {
          if (known.has(name)) continue;
          context.addIssue({
            code: 'custom',
            path: ['catalogs', index, 'registries', place],
            message: `there is no registry ${name}. Use one of ${[...known].join(', ')}`,
          });
        }
      }
    });
}

/** The whole config. Parsing reports all problems at once, each as an issue with its own path. */
export const configSchema = configOf(registryConfigSchema);
const configOfParsedRegistries = configOf(z.custom<RegistryConfig>());

/** Parsing so many registries blocks the event loop for a millisecond or two. */
const REGISTRIES_PER_STEP = 20;

/**
 * Parses a config as {@link configSchema} does, in steps: ten thousand registries would block the event loop for almost
 * a second.
 *
 * @param pause called between two steps
 */
export async function parseConfigInSteps(
  input: unknown,
  pause: () => Promise<unknown>,
): Promise<z.ZodSafeParseResult<Config>> {
  const whole = z.looseObject({ registries: z.array(z.unknown()) }).safeParse(input);
  const registries: RegistryConfig[] = [];
  for (const [index, one] of (whole.data?.registries ?? []).entries()) {
    if (index % REGISTRIES_PER_STEP === REGISTRIES_PER_STEP - 1) await pause();
    const parsed = registryConfigSchema.safeParse(one);
    // The whole schema reports all problems, with their paths.
    if (!parsed.success) return configSchema.safeParse(input);
    registries.push(parsed.data);
  }
  if (!whole.success) return configSchema.safeParse(input);
  return configOfParsedRegistries.safeParse({ ...whole.data, registries });
}

export type Config = z.output<typeof configSchema>;
/** The config as people write it, but with absolute paths. Redis stores this form. */
export type ConfigInput = z.input<typeof configSchema>;

/** Returns all sync targets: the configured registries, then the derived registries of the catalogs. */
export function syncTargets({ registries, catalogs }: Config): RegistryConfig[] {
  return [...registries, ...catalogs.map(derivedRegistry)];
}

/**
 * Returns the name of the sync target behind `name`: the catalog's derived registry, else the registry itself. Returns
 * `undefined` if neither exists.
 */
export function catalogTarget({ catalogs, registries }: Config, name: string): string | undefined {
  if (catalogs.some((catalog) => catalog.name === name)) return catalogTargetId(name);
  return registries.some((registry) => registry.name === name) ? name : undefined;
}

/** A problem in a config, and its place. */
export interface ConfigIssue {
  readonly path: readonly (string | number)[];
  /** Has the form of the schema's own messages: `use …`, or what is wrong, a full stop, and what to do. */
  readonly message: string;
}

/** Returns the problems that the schema cannot find, such as invalid globs. */
export type ConfigCheck = (config: Config) => readonly ConfigIssue[];
