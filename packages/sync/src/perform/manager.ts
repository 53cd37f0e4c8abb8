import type { Reason, RegistryConfig, SyncStatus } from '@syncline/contract';
import type { Blob, SnapshotStore } from '@syncline/snapshot';
import { type CreateSource, type Source, type TakeBody, withhold } from '@syncline/sources';
import {
  decideSyncNeed,
  filterHash,
  isFiltered,
  type SyncNeed,
  sourceHash,
} from '../decide/should-sync.ts';
import type { IngestPool, OpenOptions } from '../ingest/ingest-pool.ts';
import { type IngestResult, OutOfOrder, type ViewTask } from '../ingest/messages.ts';
import type { CheckContext, RunContext } from '../ports/run-context.ts';
import { readMembers, revisionOf } from './members.ts';
import { mergeAndStore } from './merge-and-store.ts';
import { collectStaged } from './stage.ts';
import {
  chunkReader,
  isDamage,
  type Previous,
  type ReadContext,
  readPrevious,
  restoreServed,
  type Stored,
  type StoreResult,
  storeBuilt,
} from './store-built.ts';

/** Whether a sync is needed, and why. */
export type SyncDecision =
  | {
      readonly sync: false;
      readonly reason: Reason;
      /** `unchanged`: the source was asked. `skipped`: the source was not asked, and `message` has the reason. */
      readonly outcome: 'unchanged' | 'skipped';
      readonly message?: string;
      /** A newer mark of the same state. */
      readonly revision?: string;
    }
  | {
      readonly sync: true;
      readonly reason: Reason;
      /** `undefined` for a catalog, which has members instead of a source. */
      readonly source: Source | undefined;
      /** The digest of the mirror to filter instead. A run reads the source only if parts of the mirror are lost. */
      readonly mirror?: string | undefined;
      /** Whether to serve the stored snapshot again. A run reads the source only if parts of the snapshot are lost. */
      readonly restore?: true | undefined;
    };

/** Decides whether a registry needs a sync, and syncs it. Knows nothing of queues and leases. */
export interface Manager {
  /** Decides whether the registry needs a sync: first by the rules, then with the source's cheap check. */
  shouldSync(context: CheckContext): Promise<SyncDecision>;
  /**
   * Fetches, validates and stores the mirror and its served view. Publishes nothing, because the end of the run
   * publishes in one step.
   *
   * @throws SynclineError if the source or the store fails
   */
  performSync(context: RunContext, decision: SyncDecision & { sync: true }): Promise<StoreResult>;
  /**
   * Removes what this run, or an earlier one that did not end, has stored without publishing it.
   *
   * @param statuses all statuses that the registry may have after the run
   */
  collectStaged?(context: RunContext, statuses: readonly SyncStatus[]): Promise<void>;
}

export interface ManagerDependencies extends FetchDependencies {
  readonly createSource: CreateSource;
}

export function createManager({ createSource, ...deps }: ManagerDependencies): Manager {
  const { snapshots } = deps;
  return {
    async shouldSync(context) {
      const need = decideSyncNeed({ ...context, nowMs: context.now() });
      if (need.need === 'none') {
        return { sync: false, outcome: 'skipped', reason: need.reason, message: need.message };
      }
      const { catalog } = context.registry;
      if (catalog !== undefined) return decideMerge(snapshots, catalog.registries, need);
      const source = createSource(context.registry);
      if (need.need === 'fetch') {
        const { reason, mirror, restore } = need;
        return { sync: true, reason, source, mirror, restore };
      }
      try {
        const probe = await source.probe(need.known, context);
        if (probe.state === 'changed') return { sync: true, reason: need.changed, source };
        return { ...probe, sync: false, outcome: 'unchanged', reason: need.unchanged };
      } catch (error) {
        if (context.signal.aborted) throw error;
        context.logger.debug(
          { err: error },
          'could not check whether the source changed; fetching all rows',
        );
        return { sync: true, reason: 'error-checking-data-changes', source };
      }
    },

    async performSync(context, { source, reason, mirror, restore }) {
      const restored = restore === true ? await restoreServed(deps, context) : undefined;
      if (restored !== undefined) return restored;
      const derived = mirror === undefined ? undefined : await deriveAndStore(deps, context);
      if (derived !== undefined) return derived;
      // If the mirror is unusable, only reading all of it may reveal the damage.
      const isThorough = context.force || reason === 'reconcile-due' || mirror !== undefined;
      if (source !== undefined) return fetchAndStore(deps, context, { source, isThorough });
      const { registries = [] } = context.registry.catalog ?? {};
      return mergeAndStore(deps, context, { registries, isThorough });
    },

    collectStaged: (context, statuses) => collectStaged(deps, context, statuses),
  };
}

/** Checks whether the members of a catalog still serve the snapshots of the last build. */
async function decideMerge(
  snapshots: SnapshotStore,
  registries: readonly string[],
  need: Exclude<SyncNeed, { need: 'none' }>,
): Promise<SyncDecision> {
  const members = await readMembers(snapshots, registries);
  // Until every member has a snapshot, the owner of a name is unknown.
  const missing = members.filter(({ snapshot }) => snapshot === undefined);
  if (missing.length > 0) {
    const names = missing.map(({ registry }) => registry).join(', ');
    const message = `waiting for the first sync of ${names}`;
    return { sync: false, outcome: 'skipped', reason: 'members-not-ready', message };
  }
  if (need.need === 'probe' && need.known === revisionOf(members)) {
    return { sync: false, outcome: 'unchanged', reason: need.unchanged };
  }
  if (need.need === 'probe') return { sync: true, reason: need.changed, source: undefined };
  return { sync: true, reason: need.reason, source: undefined, restore: need.restore };
}

export interface FetchDependencies {
  readonly ingest: IngestPool;
  readonly snapshots: SnapshotStore;
}

export interface FetchWork extends Pick<OpenOptions, 'detail'> {
  readonly source: Source;
  readonly previous: Previous;
  /** The mirror's revision, if the source may answer with a delta. */
  readonly since?: string | undefined;
}

/**
 * Fetches a registry, builds its mirror and its served view, checks the guard, and stores the result.
 *
 * @param options.isThorough reads all stored chunks to find damaged ones. Otherwise, only lost chunks are found
 * @throws SynclineError if the source or the store fails
 */
async function fetchAndStore(
  deps: FetchDependencies,
  context: RunContext,
  { source, isThorough }: { source: Source; isThorough: boolean },
): Promise<StoreResult> {
  const previous = await readPrevious(deps, context, { isThorough });
  const since = isThorough ? undefined : deltaBase(context, { source, previous });
  const fetched = await fetchAndBuild(deps, context, { source, previous, since });
  return storeBuilt(deps, context, { ...fetched, origin: 'source' });
}

/** Returns the mirror's revision, if Syncline can apply a delta of the same source to the mirror. */
function deltaBase(
  { registry, status }: ReadContext,
  { source, previous }: { source: Source; previous: Previous },
): string | undefined {
  if (source.givesDeltas !== true || status.sourceHash !== sourceHash(registry)) return undefined;
  const base = baseOf(registry, previous);
  return base !== undefined && base === previous.mirror?.blob ? status.revision : undefined;
}

/** Returns the base manifest for the rows of the source. */
function baseOf(registry: RegistryConfig, { blob, mirror }: Previous): Blob | undefined {
  return isFiltered(registry) ? mirror?.blob : blob;
}

/** Returns the view to derive from the mirror. */
function viewOf(
  { registry, status }: Pick<ReadContext, 'registry' | 'status'>,
  { blob: served, mirror }: Previous,
): ViewTask {
  const hash = filterHash(registry);
  return {
    filter: registry.filter,
    filterHash: isFiltered(registry) ? hash : undefined,
    served,
    isCurrent: status.filterHash === hash && served !== undefined && mirror !== undefined,
  };
}

/** Returns the built snapshot and its base. The base is empty if the stored snapshot is damaged. */
export async function fetchAndBuild(
  deps: FetchDependencies,
  context: ReadContext,
  work: FetchWork,
) {
  let attempt: FetchAttempt = { ...work, order: 'arrival' };
  for (;;) {
    try {
      return { ...(await fetchOnce(deps, context, attempt)), previous: attempt.previous };
    } catch (error) {
      attempt = attemptAfter(error, attempt);
      context.logger.debug({ err: error, registry: context.registry.name }, 'fetching once more');
    }
  }
}

type FetchAttempt = FetchWork & Pick<OpenOptions, 'order'>;

/** Returns the next attempt after an error. @throws the error if another attempt would not help */
function attemptAfter(error: unknown, attempt: FetchAttempt): FetchAttempt {
  const { order, previous } = attempt;
  // Most upstreams sort their rows. Otherwise, the next attempt reads the rows again and sorts them.
  if (error instanceof OutOfOrder && order === 'arrival') return { ...attempt, order: 'buffered' };
  if (!isDamage(error) || (previous.blob ?? previous.mirror) === undefined) throw error;
  return { ...attempt, previous: { manifest: previous.manifest }, since: undefined };
}

async function fetchOnce(
  { ingest, snapshots }: FetchDependencies,
  context: ReadContext,
  { source, previous, since, order, detail }: FetchAttempt,
) {
  const { registry, signal, memory, timePhase, now } = context;
  using session = ingest.open({
    signal,
    credentials: context.credentials,
    memory,
    detail,
    // Only the end of the fetch shows whether the source answered with a delta.
    order: since === undefined ? order : 'buffered',
    previous: baseOf(registry, previous),
    view: isFiltered(registry) ? viewOf(context, previous) : undefined,
  });
  const take: TakeBody = (body, origin) => session.add(body, origin);
  const reading = await timePhase('fetch', () => source.fetch(take, context, { since }));
  const readChunks = chunkReader(snapshots, registry.name);
  const removals = reading.kind === 'delta' ? reading.removals : undefined;
  const built = await timePhase('build', () =>
    session.build({ nowMs: now(), readChunks, removals }),
  );
  const { revision } = reading;
  return { revision, built: { ...built, quarantined: safeQuarantine(built, context) } };
}

/** Removes credentials, because an invalid row may contain anything, even what Syncline sent to the upstream. */
function safeQuarantine(
  { quarantined: { count, samples } }: IngestResult,
  { credentials }: ReadContext,
): IngestResult['quarantined'] {
  const safe = (text: string) => withhold(text, credentials);
  return {
    count,
    samples: samples.map(({ row, reason }) => ({ row: safe(row), reason: safe(reason) })),
  };
}

/**
 * Filters the stored mirror again and stores the result, without the source.
 *
 * @returns `undefined` if parts of the mirror are lost. Only the source then has all rows
 */
async function deriveAndStore(
  deps: FetchDependencies,
  context: RunContext,
): Promise<StoreResult | undefined> {
  const { mirror, ...served } = await readPrevious(deps, context, { isThorough: false });
  if (mirror === undefined) return undefined;
  const previous = { ...served, mirror };
  const built = await deriveView(deps, context, previous).catch((error: unknown) => {
    if (isDamage(error)) return undefined;
    throw error;
  });
  if (built === undefined) return undefined;
  const { revision } = context.status;
  return storeBuilt(deps, context, { built, previous, revision, origin: 'mirror' });
}

/** Builds the view of a mirror with the current filter. */
export async function deriveView(
  { ingest, snapshots }: FetchDependencies,
  context: Pick<ReadContext, 'registry' | 'status' | 'signal' | 'memory' | 'timePhase' | 'now'>,
  previous: Previous & { mirror: Stored },
): Promise<IngestResult> {
  const { registry, signal, memory, timePhase, now } = context;
  using session = ingest.open({
    signal,
    memory,
    order: 'buffered',
    previous: previous.mirror.blob,
    view: { ...viewOf(context, previous), isCurrent: false },
  });
  const readChunks = chunkReader(snapshots, registry.name);
  return await timePhase('build', () => session.derive({ nowMs: now(), readChunks }));
}
