import type { Reason, RegistryConfig } from '@syncline/contract';
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
import {
  chunkReader,
  isDamage,
  type Previous,
  type ReadContext,
  readPrevious,
  type Stored,
  type StoreResult,
  storeBuilt,
} from './store-built.ts';

/** Whether there is anything to do, and why. */
export type SyncDecision =
  | {
      readonly sync: false;
      readonly reason: Reason;
      /** `unchanged`: the source was asked. `skipped`: it was not, and `message` says why. */
      readonly outcome: 'unchanged' | 'skipped';
      readonly message?: string;
      /** A newer mark of the same state. */
      readonly revision?: string;
    }
  | {
      readonly sync: true;
      readonly reason: Reason;
      /** `undefined` for a catalog, which is merged from what its registries serve. */
      readonly source: Source | undefined;
      /** Digest of the mirror to filter instead. The source is read only if parts of the mirror are lost. */
      readonly mirror?: string | undefined;
    };

/** Decides about and syncs a registry. Knows nothing of queues and leases. */
export interface Manager {
  /** Decides whether the registry must be synced: the rules first, then the source's cheap check. */
  shouldSync(context: CheckContext): Promise<SyncDecision>;
  /**
   * Fetches, validates and stores the mirror and the view of it that is served. Publishes nothing: the end of the run
   * does that in one step.
   *
   * @throws SynclineError if the source or the store fails
   */
  performSync(context: RunContext, decision: SyncDecision & { sync: true }): Promise<StoreResult>;
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
        return { sync: true, reason: need.reason, source, mirror: need.mirror };
      }
      try {
        const probe = await source.probe(need.known, context);
        if (probe.state === 'changed') return { sync: true, reason: need.changed, source };
        return { ...probe, sync: false, outcome: 'unchanged', reason: need.unchanged };
      } catch (error) {
        if (context.signal.aborted) throw error;
        context.logger.debug({ err: error }, 'the cheap check failed; fetching instead');
        return { sync: true, reason: 'error-checking-data-changes', source };
      }
    },

    async performSync(context, { source, reason, mirror }) {
      const derived = mirror === undefined ? undefined : await deriveAndStore(deps, context);
      if (derived !== undefined) return derived;
      // If the mirror is unusable, only reading all of it may show the damage.
      const isThorough = context.force || reason === 'reconcile-due' || mirror !== undefined;
      if (source !== undefined) return fetchAndStore(deps, context, { source, isThorough });
      const { registries = [] } = context.registry.catalog ?? {};
      return mergeAndStore(deps, context, { registries, isThorough });
    },
  };
}

/** Checks whether the registries of a catalog still serve what it was built from. */
async function decideMerge(
  snapshots: SnapshotStore,
  registries: readonly string[],
  need: Exclude<SyncNeed, { need: 'none' }>,
): Promise<SyncDecision> {
  const members = await readMembers(snapshots, registries);
  // Until all registries are published, nobody knows which of them a name belongs to.
  const missing = members.filter(({ snapshot }) => snapshot === undefined);
  if (missing.length > 0) {
    const names = missing.map(({ registry }) => registry).join(', ');
    const message = `waiting for the first sync of ${names}`;
    return { sync: false, outcome: 'skipped', reason: 'members-not-ready', message };
  }
  if (need.need === 'probe' && need.known === revisionOf(members)) {
    return { sync: false, outcome: 'unchanged', reason: need.unchanged };
  }
  const reason = need.need === 'fetch' ? need.reason : need.changed;
  return { sync: true, reason, source: undefined };
}

export interface FetchDependencies {
  readonly ingest: IngestPool;
  readonly snapshots: SnapshotStore;
}

export interface FetchWork extends Pick<OpenOptions, 'detail'> {
  readonly source: Source;
  readonly previous: Previous;
  /** The revision of the mirror, if the source may give a delta of it. */
  readonly since?: string | undefined;
}

/**
 * Fetches a registry, builds its mirror and the view that is served, checks the guard, and stores the result.
 *
 * @param options.isThorough reads all stored chunks to find damaged ones; otherwise only lost chunks are found
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

/** Returns the revision of the mirror to build upon, if a delta of the same source can be applied to it. */
function deltaBase(
  { registry, status }: ReadContext,
  { source, previous }: { source: Source; previous: Previous },
): string | undefined {
  if (source.givesDeltas !== true || status.sourceHash !== sourceHash(registry)) return undefined;
  const base = baseOf(registry, previous);
  return base !== undefined && base === previous.mirror?.blob ? status.revision : undefined;
}

/** Returns the manifest that rows of the source are built upon. */
function baseOf(registry: RegistryConfig, { blob, mirror }: Previous): Blob | undefined {
  return isFiltered(registry) ? mirror?.blob : blob;
}

/** Returns the view to derive, if what is served is not the mirror. */
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

/** Returns what was built and what it was built upon: nothing, if the stored snapshot is damaged. */
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

/** Returns the next attempt after an error. @throws that error if a further attempt would not help */
function attemptAfter(error: unknown, attempt: FetchAttempt): FetchAttempt {
  const { order, previous } = attempt;
  // Most upstreams give their rows in order. If one does not, its rows are read again and sorted.
  if (error instanceof OutOfOrder && order === 'arrival') return { ...attempt, order: 'buffered' };
  if (!isDamage(error) || (previous.blob ?? previous.mirror) === undefined) throw error;
  return { ...attempt, previous: { manifest: previous.manifest }, since: undefined };
}

async function fetchOnce(
  { ingest, snapshots }: FetchDependencies,
  context: ReadContext,
  { source, previous, since, order, detail }: FetchAttempt,
) {
  const { registry, signal, timePhase, now } = context;
  using session = ingest.open({
    signal,
    detail,
    // The source may answer with a delta. That is known only when it has given all rows.
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

/** Removes credentials: an invalid row may contain anything, also what its upstream was sent. */
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
 * Filters the stored mirror again and stores the result. Does not ask the source.
 *
 * @returns `undefined` if parts of the mirror are lost: then only the source has all rows
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

/** Builds the view of a mirror by the filter in force. */
export async function deriveView(
  { ingest, snapshots }: FetchDependencies,
  context: Pick<ReadContext, 'registry' | 'status' | 'signal' | 'timePhase' | 'now'>,
  previous: Previous & { mirror: Stored },
): Promise<IngestResult> {
  const { registry, signal, timePhase, now } = context;
  using session = ingest.open({
    signal,
    order: 'buffered',
    previous: previous.mirror.blob,
    view: { ...viewOf(context, previous), isCurrent: false },
  });
  const readChunks = chunkReader(snapshots, registry.name);
  return await timePhase('build', () => session.derive({ nowMs: now(), readChunks }));
}
