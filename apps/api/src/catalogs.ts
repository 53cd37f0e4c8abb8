import {
  type Config,
  derivedRegistry,
  type RegistryConfig,
  type RegistryView,
  SynclineError,
} from '@syncline/contract';
import type { FreshnessOf } from '@syncline/serving';
import type { OpenSnapshot } from '@syncline/snapshot';
import type { ApiDependencies } from './dependencies.ts';
import { findCatalog, toViews, viewRegistries } from './registries.ts';

/** A catalog as `/v1/catalogs` shows it. */
export interface CatalogView {
  readonly name: string;
  /** In order of precedence. */
  readonly registries: readonly string[];
  readonly path: string;
  /** How what is served was built: of a catalog of the config its own, else that of its registry. */
  readonly status: RegistryView['status'];
  readonly snapshot: string | null;
  /** Whether a registry of it is stale, or it could not be built from them for too long. */
  readonly stale: boolean;
}

interface ServedCatalog {
  readonly name: string;
  /** What is run and stored for it. */
  readonly target: RegistryConfig;
}

/** Those of the config, then each registry as a catalog of its own name. */
export function servedCatalogs({ catalogs, registries }: Config): ServedCatalog[] {
  const taken = new Set(catalogs.map(({ name }) => name));
  return [
    ...catalogs.map((catalog) => ({ name: catalog.name, target: derivedRegistry(catalog) })),
    ...registries
      .filter(({ name }) => !taken.has(name))
      .map((target) => ({ name: target.name, target })),
  ];
}

/** The registries that a catalog is made of, in order of precedence. */
export function membersOf({ name, catalog }: RegistryConfig): readonly string[] {
  return catalog?.registries ?? [name];
}

/** Catalogs as they stand. */
export async function viewCatalogs(
  dependencies: ApiDependencies,
  catalogs: readonly ServedCatalog[],
): Promise<CatalogView[]> {
  const views = await viewTargets(
    dependencies,
    catalogs.map(({ target }) => target),
  );
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

/** A catalog, opened. */
export interface OpenCatalog {
  readonly snapshot: OpenSnapshot;
  /** How fresh each of its registries is, now. */
  readonly freshnessOf: FreshnessOf;
  /** When the above was read, where Redis is away: epoch milliseconds by its clock, and how long ago. */
  readonly asOf: { readonly atMs: number; readonly ageMs: number } | undefined;
}

/**
 * What a catalog serves. While Redis is away, that is what this process last served.
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
  const views = byName(toViews(configs, stored));
  if (snapshot === undefined) throw notReady(catalog, views.get(target.name));
  return {
    snapshot,
    asOf: asOf(stored.nowMs, [snapshot.ageMs, stored.ageMs]),
    freshnessOf: (source) => {
      // Of a registry that the catalog has no longer, only tombstones are left.
      const { status, stale = true } = views.get(source) ?? {};
      return { syncedAt: status?.lastSuccessAt, stale };
    },
  };
}

function asOf(nowMs: number, ages: readonly (number | undefined)[]): OpenCatalog['asOf'] {
  const known = ages.filter((ageMs) => ageMs !== undefined);
  if (known.length === 0) return undefined;
  const ageMs = Math.max(...known);
  return { atMs: nowMs - ageMs, ageMs };
}

/** Targets as they stand, and the registries that they are made of, by name. */
async function viewTargets(
  dependencies: ApiDependencies,
  targets: readonly RegistryConfig[],
): Promise<ReadonlyMap<string, RegistryView>> {
  return byName(await viewRegistries(dependencies, withMembers(dependencies, targets)));
}

/** Targets, and the registries that they are made of, each once. */
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

/** Not an empty list: whoever mirrors us would take it for a registry that has lost everything. */
function notReady(catalog: string, view: RegistryView | undefined): SynclineError {
  const why = view?.status.message ?? 'it was never synced';
  const message = `the catalog ${catalog} has nothing to serve yet: ${why}`;
  return new SynclineError('catalog-not-ready', message);
}
