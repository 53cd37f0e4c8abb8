import {
  type Clock,
  type Config,
  catalogTarget,
  controlSchema,
  isStoreUnavailable,
  PENDING_STATUS,
  type RegistryConfig,
  type RegistryView,
  registryView,
  SynclineError,
  systemClock,
} from '@syncline/contract';
import type { RegistryReader, StoredRegistries } from '@syncline/redis';
import { LastKnown } from '@syncline/snapshot';
import type { ApiDependencies } from './dependencies.ts';

type ConfigDependency = Pick<ApiDependencies, 'config'>;

/**
 * Returns the config in force.
 *
 * @throws {SynclineError} `config-unreadable` if there is none
 */
export async function currentConfig({ config }: ConfigDependency): Promise<Config> {
  if (config.current() === undefined) await config.refresh();
  const current = config.current();
  if (current !== undefined) return current;
  throw new SynclineError('config-unreadable', 'there is no config yet', {
    expected: 'a scheduler to have stored one',
  });
}

/** Returns a registry of the config. @throws {SynclineError} `unknown-registry` */
export async function findRegistry(
  { config }: ConfigDependency,
  name: string,
): Promise<RegistryConfig> {
  const registry = await lookUp(config, () => config.registry(name));
  if (registry === undefined) {
    throw new SynclineError('unknown-registry', `there is no registry ${name}`);
  }
  return registry;
}

/** Returns the registry, possibly derived, that a catalog serves. @throws {SynclineError} `unknown-catalog` */
export async function findCatalog(
  { config }: ConfigDependency,
  catalog: string,
): Promise<RegistryConfig> {
  const target = await lookUp(config, (current) => {
    const id = catalogTarget(current, catalog);
    return id === undefined ? undefined : config.registry(id);
  });
  if (target === undefined) {
    throw new SynclineError('unknown-catalog', `there is no catalog ${catalog}`);
  }
  return target;
}

/** Looks again after a refresh before it reports an unknown name: the config may be new. */
async function lookUp(
  config: ConfigDependency['config'],
  find: (current: Config) => RegistryConfig | undefined,
): Promise<RegistryConfig | undefined> {
  const known = find(await currentConfig({ config }));
  if (known !== undefined) return known;
  await config.refresh();
  return find(await currentConfig({ config }));
}

/** Returns the views of registries, in the given order, in one round trip. */
export async function viewRegistries(
  { registries }: Pick<ApiDependencies, 'registries'>,
  configs: readonly RegistryConfig[],
): Promise<RegistryView[]> {
  return toViews(configs, await registries.readMany(configs.map(({ name }) => name)));
}

/** Returns the views of registries from their stored state. */
export function toViews(configs: readonly RegistryConfig[], stored: StoredRegistries) {
  return configs.map((config) => toView(config, stored));
}

/** Returns the view of one registry. */
export async function viewRegistry(
  { registries }: Pick<ApiDependencies, 'registries'>,
  config: RegistryConfig,
): Promise<RegistryView> {
  return toView(config, await registries.readMany([config.name]));
}

const NEVER_RAN = { status: PENDING_STATUS, control: controlSchema.parse({}, { jitless: true }) };

function toView(config: RegistryConfig, { nowMs, registries }: StoredRegistries): RegistryView {
  return registryView(config, registries.get(config.name) ?? NEVER_RAN, nowMs);
}

/** Reads the state of registries as Redis has it, or had it when it last answered. */
export interface RememberedRegistries {
  /** `nowMs` is always the current time by Redis's clock; `ageMs` is the age of the rest, `undefined` if it is current. */
  readMany(
    names: readonly string[],
  ): Promise<StoredRegistries & { readonly ageMs: number | undefined }>;
}

/** Creates a reader that returns what it last read while Redis is away. It fails for what it never read. */
export function rememberRegistries(
  reader: RegistryReader,
  { clock = systemClock }: { readonly clock?: Pick<Clock, 'monotonic'> } = {},
): RememberedRegistries {
  const known = new LastKnown<StoredRegistries>({ clock, isAway: isStoreUnavailable });
  return {
    async readMany(names) {
      const { value, ageMs } = await known.read(names.join(), () => reader.readMany(names));
      // The time that Redis last told is that much older now.
      return { ...value, nowMs: value.nowMs + (ageMs ?? 0), ageMs };
    },
  };
}
