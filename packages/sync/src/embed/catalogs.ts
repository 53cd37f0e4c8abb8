import {
  catalogTarget,
  PENDING_STATUS,
  type RegistryConfig,
  registryView,
  SynclineError,
} from '@syncline/contract';
import type { ServedRow } from '@syncline/rows';
import type { OpenSnapshot, SnapshotReader } from '@syncline/snapshot';
import type { ConfigSource } from '../ports/config-source.ts';
import type { Records, RegistryRecord } from './records.ts';

const NOT_READY_RETRY_MS = 5_000;

/** An open catalog, for the functions of `@syncline/serving`. */
export interface OpenCatalog {
  readonly snapshot: OpenSnapshot;
  /** Returns how fresh a member is. */
  readonly freshnessOf: (source: string) => {
    readonly syncedAt: string | undefined;
    readonly stale: boolean;
  };
}

/** The state behind the catalogs of the config. Each registry is also a catalog with its own name. */
export interface CatalogState {
  readonly config: ConfigSource;
  readonly records: Records;
  readonly reader: SnapshotReader;
  /** Resolves at the next change of a status. Rejects if no change can come. */
  readonly nextChange: () => Promise<void>;
}

/**
 * Opens the current snapshot of a catalog.
 *
 * @throws SynclineError `unknown-catalog`; `catalog-not-ready` before the first publication
 */
export async function openCatalog(
  { config, records, reader }: CatalogState,
  name: string,
): Promise<OpenCatalog> {
  const target = findTarget(config, name);
  const snapshot = await reader.open(target.name);
  if (snapshot === undefined) throw notReady(name, await records.read(target.name));
  const members = target.catalog?.registries ?? [target.name];
  const views = new Map(
    await Promise.all(
      members.map(async (member) => {
        const registry = config.registry(member) ?? target;
        const { status = PENDING_STATUS, control } = await records.read(member);
        return [member, registryView(registry, { status, control }, Date.now())] as const;
      }),
    ),
  );
  return {
    snapshot,
    freshnessOf: (source) => {
      // The catalog has only tombstones of a registry that is no longer a member.
      const { status, stale = true } = views.get(source) ?? {};
      return { syncedAt: status?.lastSuccessAt, stale };
    },
  };
}

/**
 * Yields the rows of a catalog. Waits for the first sync of its members.
 *
 * @throws SynclineError `unknown-catalog`; `catalog-not-ready` if the first sync fails, is held back, or never comes
 */
export async function* rowsOf(state: CatalogState, name: string): AsyncGenerator<ServedRow> {
  const target = findTarget(state.config, name);
  for (;;) {
    // Listens before the check, so that no change between the two is missed.
    const changed = state.nextChange();
    changed.catch(() => {});
    if (await isServed(state, { name, target })) break;
    await changed;
  }
  const { snapshot } = await openCatalog(state, name);
  yield* snapshot.rows();
}

async function isServed(
  { config, records }: CatalogState,
  { name, target }: { name: string; target: RegistryConfig },
): Promise<boolean> {
  const record = await records.read(target.name);
  if (record.pointer !== undefined) return true;
  for (const member of target.catalog?.registries ?? [target.name]) {
    const found = await records.read(member);
    // The run failed, or the guard holds the snapshot back. No first snapshot will come soon.
    const isSettled = found.status?.phase === 'Failed' || found.status?.phase === 'Complete';
    const isSuspended = config.registry(member)?.suspended === true;
    if (found.pointer === undefined && (isSuspended || isSettled)) throw notReady(name, found);
  }
  if (target.catalog !== undefined && record.status?.phase === 'Failed') {
    throw notReady(name, record);
  }
  return false;
}

function findTarget(config: ConfigSource, name: string): RegistryConfig {
  const current = config.current();
  const target = config.registry((current && catalogTarget(current, name)) ?? name);
  if (target !== undefined) return target;
  throw new SynclineError(
    'unknown-catalog',
    `the config has no catalog or registry ${name}. Check the spelling of the name`,
  );
}

/** Returns an error instead of an empty list, which a program would take for a registry that has lost all rows. */
function notReady(name: string, { status }: RegistryRecord): SynclineError {
  const why = status?.message ?? 'it has not been synced yet';
  const message = `${name} has nothing to serve yet: ${why}`;
  return new SynclineError('catalog-not-ready', message, { retryAfterMs: NOT_READY_RETRY_MS });
}
