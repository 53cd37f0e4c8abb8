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
  /** In order of precedence. */
  readonly registries: readonly string[];
  readonly path: string;
  /** The status of the catalog, or of the registry that it is. */
  readonly status: RegistryView['status'];
  readonly snapshot: string | null;
  /** Whether one of its registries is stale, or it could not be built from them for too long. */
  readonly stale: boolean;
}

interface ServedCatalog {
  readonly name: string;
  /** The registry, possibly derived, that is run and stored for it. */
  readonly target: RegistryConfig;
}

/** Returns the catalogs of the config, then each registry as a catalog of its own name. */
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
  const views = byName((await viewRegistries(dependencies.registries, members)).views);
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
 * Opens what a catalog serves. While Redis is away, that is what this process last served.
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
      // Only tombstones are left of a registry that was removed from the catalog.
      const { status, stale = true } = views.get(source) ?? {};
      return { syncedAt: status?.lastSuccessAt, stale };
    },
  };
}

function asOf(nowMs: number, ages: readonly (number | undefined)[]): OpenCatalog['asOf'] {
  const ageMs = Math.max(...ages.filter((age) => age !== undefined));
  return Number.isFinite(ageMs) ? { atMs: nowMs - ageMs, ageMs } : undefined;
}

/** Returns targets and their registries, each once. */
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

/** An empty list would tell a mirror of us that all servers were removed. */
function notReady(catalog: string, view: RegistryView | undefined): SynclineError {
  const why = view?.status.message ?? 'it was never synced';
  const message = `the catalog ${catalog} has nothing to serve yet: ${why}`;
  return new SynclineError('catalog-not-ready', message);
}
