import {
  type Clock,
  catalogTarget,
  isStoreUnavailable,
  type RegistryConfig,
  type RegistryView,
  SynclineError,
  systemClock,
} from '@syncline/contract';
import {
  findInConfig,
  type RegistryReader,
  type StoredRegistries,
  viewRegistries,
} from '@syncline/redis';
import { LastKnown } from '@syncline/snapshot';
import type { ApiDependencies } from './dependencies.ts';

/**
 * Returns the registry behind a catalog: a derived registry or a configured one. @throws {SynclineError}
 * `unknown-catalog`
 */
export async function findCatalog(
  { config }: Pick<ApiDependencies, 'config'>,
  catalog: string,
): Promise<RegistryConfig> {
  const target = await findInConfig(config, (current) => {
    const id = catalogTarget(current, catalog);
    return id === undefined ? undefined : config.registry(id);
  });
  if (target !== undefined) return target;
  throw new SynclineError(
    'unknown-catalog',
    `there is no catalog ${catalog}. GET /v1/catalogs lists all catalogs`,
  );
}

/** Returns the view of one registry. */
export async function viewRegistry(
  { registries }: Pick<ApiDependencies, 'registries'>,
  config: RegistryConfig,
): Promise<RegistryView | undefined> {
  return (await viewRegistries(registries, [config])).views[0];
}

/**
 * Reads the current state of registries from Redis. While Redis is unavailable, returns the last state that this process
 * read.
 */
export interface RememberedRegistries {
  /**
   * `nowMs` is always the current time by Redis's clock. `ageMs` is the age of the other values, or `undefined` if they
   * are current.
   */
  readMany(
    names: readonly string[],
  ): Promise<StoredRegistries & { readonly ageMs: number | undefined }>;
}

/**
 * Creates a reader that returns its last result while Redis is unavailable. Fails for registries that it has never read.
 */
export function rememberRegistries(
  reader: RegistryReader,
  { clock = systemClock }: { readonly clock?: Pick<Clock, 'monotonic'> } = {},
): RememberedRegistries {
  const known = new LastKnown<StoredRegistries>({ clock, isAway: isStoreUnavailable });
  return {
    async readMany(names) {
      const { value, ageMs } = await known.read(names.join(), () => reader.readMany(names));
      // Since Redis reported `nowMs`, `ageMs` has passed.
      return { ...value, nowMs: value.nowMs + (ageMs ?? 0), ageMs };
    },
  };
}
