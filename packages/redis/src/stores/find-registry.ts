import {
  type Config,
  controlSchema,
  PENDING_STATUS,
  type RegistryConfig,
  type RegistryView,
  registryView,
  SynclineError,
} from '@syncline/contract';
import type { ConfigSource } from '@syncline/sync';
import type { RegistryReader, StoredRegistries } from './registry-reader.ts';

const NAMES_IN_MESSAGE = 10;

/**
 * Returns the current config. Reads it first if necessary.
 *
 * @throws SynclineError `config-unreadable` if Redis has no config
 */
export async function currentConfig(source: ConfigSource): Promise<Config> {
  if (source.current() === undefined) await source.refresh();
  const config = source.current();
  if (config !== undefined) return config;
  throw new SynclineError(
    'config-unreadable',
    'Redis has no config under this prefix. Start a scheduler, or check REDIS_URL and SYNCLINE_PREFIX',
  );
}

/**
 * Returns the registry with this name, or the derived registry of a catalog with this id.
 *
 * @throws SynclineError `unknown-registry`, `config-unreadable`
 */
export async function findRegistry(source: ConfigSource, name: string): Promise<RegistryConfig> {
  const registry = await findInConfig(source, () => source.registry(name));
  if (registry !== undefined) return registry;
  const names = (await currentConfig(source)).registries.map((known) => known.name);
  const more = names.length > NAMES_IN_MESSAGE ? ', …' : '';
  throw new SynclineError('unknown-registry', `the config has no registry ${name}`, {
    expected: `one of ${names.slice(0, NAMES_IN_MESSAGE).join(', ')}${more}`,
  });
}

/** Searches the known config, and then a newer one. */
export async function findInConfig<Found>(
  source: ConfigSource,
  find: (config: Config) => Found | undefined,
): Promise<Found | undefined> {
  const found = find(await currentConfig(source));
  if (found !== undefined) return found;
  await source.refresh();
  return find(await currentConfig(source));
}

export interface RegistryViews {
  /** The time by Redis's clock, in epoch milliseconds. */
  readonly nowMs: number;
  /** The views in the order of the configs. */
  readonly views: readonly RegistryView[];
}

/** Reads the state of registries. */
export async function viewRegistries(
  reader: RegistryReader,
  configs: readonly RegistryConfig[],
): Promise<RegistryViews> {
  return viewsOf(configs, await reader.readMany(configs.map(({ name }) => name)));
}

const NEVER_RAN = { status: PENDING_STATUS, control: controlSchema.parse({}, { jitless: true }) };

/** Returns the views of registries from state that the caller has already read. */
export function viewsOf(
  configs: readonly RegistryConfig[],
  { nowMs, registries }: StoredRegistries,
): RegistryViews {
  const views = configs.map((config) =>
    registryView(config, registries.get(config.name) ?? NEVER_RAN, nowMs),
  );
  return { nowMs, views };
}
