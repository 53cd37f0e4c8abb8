import {
  type Config,
  derivedRegistry,
  type RegistryConfig,
  type RegistryView,
  SynclineError,
} from '@syncline/contract';
import { viewRegistries, viewsOf } from '@syncline/redis';
import type { OpenCatalog } from '@syncline/serving/express';
import type { ApiDependencies } from './dependencies.ts';
import { findCatalog } from './registries.ts';

/** A catalog as `/v1/catalogs` shows it. */
export interface CatalogView {
  readonly name: string;
  /** The registries of the catalog, in order of precedence. */
  readonly registries: readonly string[];
  readonly path: string;
  /**
   * The status of the derived registry; for a registry that is its own catalog, the status of that
   * registry.
   */
  readonly status: RegistryView['status'];
  readonly snapshot: string | null;
  /**
   * Whether a registry of the catalog is stale, or no check of the catalog itself has succeeded for
   * too long.
   */
  readonly stale: boolean;
}

export interface ServedCatalog {
  readonly name: string;
  /** The registry behind the catalog: a derived registry, or the configured registry itself. */
  readonly target: RegistryConfig;
}

/** Returns the catalogs of the config, and then each registry as a catalog of the same name. */
export function servedCatalogs({ catalogs, registries }: Config): ServedCatalog[] {
  const taken = new Set(catalogs.map(({ name }) => name));
  return [
    ...catalogs.map((catalog) => ({ name: catalog.name, target: derivedRegistry(catalog) })),
    ...registries
      .filter(({ name }) => !taken.has(name))
      .map((target) => ({ name: target.name, target })),
  ];
}

/** Returns the registries of a catalog, in order of precedence. */
export function membersOf({
  name,
  catalog,
}: Pick<RegistryConfig, 'name' | 'catalog'>): readonly string[] {
  return catalog?.registries ?? [name];
}

/** Returns the current state of catalogs. */
export async function viewCatalogs(
  dependencies: ApiDependencies,
  catalogs: readonly ServedCatalog[],
): Promise<CatalogView[]> {
  const targets = catalogs.map(({ target }) => target);
  const members = withMembers(dependencies, targets);
  const views = byName((await viewRegistries(dependencies.remembered.current, members)).views);
  return catalogs.flatMap(({ name, target }) => {
    const own = views.get(target.name);
    if (own === undefined) return [];
    const registries = membersOf(target);
    const isStale = (registry: string) => views.get(registry)?.stale === true;
    return {
      name,
      registries,
      path: `/registry/${name}`,
      status: own.status,
      snapshot: own.snapshot,
      stale: own.stale || registries.some(isStale),
    };
  });
}

/**
 * Opens the served snapshot of a catalog. While Redis is unavailable, opens the snapshot that this
 * process served last.
 *
 * @throws {SynclineError} `catalog-not-ready`
 */
export async function openCatalog(
  dependencies: ApiDependencies,
  catalog: string,
): Promise<OpenCatalog> {
  const target = await findCatalog(dependencies, catalog);
  const configs = withMembers(dependencies, [target]);
  const [snapshot, stored] = await Promise.all([
    dependencies.snapshots.open(target.name),
    dependencies.remembered.readMany(configs.map(({ name }) => name)),
  ]);
  const views = byName(viewsOf(configs, stored).views);
  if (snapshot === undefined) throw notReady(catalog, views.get(target.name));
  return {
    snapshot,
    asOf: asOf(stored.nowMs, [snapshot.ageMs, stored.ageMs]),
    freshnessOf: (source) => {
      // After a registry is removed from the catalog, only its tombstones are left.
      const { status, stale = true } = views.get(source) ?? {};
      return { syncedAt: status?.lastSuccessAt, stale };
    },
  };
}

function asOf(nowMs: number, ages: readonly (number | undefined)[]): OpenCatalog['asOf'] {
  const ageMs = Math.max(...ages.filter((age) => age !== undefined));
  return Number.isFinite(ageMs) ? { atMs: nowMs - ageMs, ageMs } : undefined;
}

/** Returns the targets and their registries, each registry once. */
function withMembers(
  { config }: Pick<ApiDependencies, 'config'>,
  targets: readonly RegistryConfig[],
): RegistryConfig[] {
  const members = targets.flatMap(membersOf).flatMap((name) => config.registry(name) ?? []);
  return [...new Map([...targets, ...members].map((it) => [it.name, it])).values()];
}

function byName(views: readonly RegistryView[]): ReadonlyMap<string, RegistryView> {
  return new Map(views.map((view) => [view.name, view]));
}

/**
 * Returns the error for a catalog without a snapshot. An empty list instead would tell our mirrors
 * that all servers were removed.
 */
function notReady(catalog: string, view: RegistryView | undefined): SynclineError {
  const why = view?.status.message ?? 'it has not been synced yet';
  const message = `the catalog ${catalog} has nothing to serve yet: ${why}`;
  return new SynclineError('catalog-not-ready', message);
}
