import type { RegistryConfig } from '@syncline/contract';
import type { Blob, SnapshotStore } from '@syncline/snapshot';
import { type Source, type TakeBody, withhold } from '@syncline/sources';
import { filterHash, isFiltered, sourceHash } from '../decide/hashes.ts';
import type { IngestPool, OpenOptions } from '../ingest/ingest-pool.ts';
import { type IngestResult, OutOfOrder, type ViewTask } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import {
  chunkReader,
  isDamage,
  type Previous,
  type ReadContext,
  readPrevious,
  type StoreResult,
  storeBuilt,
} from './store-built.ts';

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
export async function fetchAndStore(
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
export function viewOf(
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
