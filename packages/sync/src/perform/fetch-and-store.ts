import type { RegistryConfig } from '@syncline/contract';
import { type Blob, readChunkBlobs, type SnapshotStore } from '@syncline/snapshot';
import { type Source, type TakeBody, withhold } from '@syncline/sources';
import { filterHash, isFiltered, sourceHash } from '../decide/hashes.ts';
import type { IngestPool, OpenOptions } from '../ingest/ingest-pool.ts';
import { type IngestResult, OutOfOrder, type ViewTask } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import {
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

export interface FetchOptions {
  readonly source: Source;
  /** Reads all of what is stored, to find what is damaged; else only what is lost is found. */
  readonly isThorough: boolean;
}

export interface FetchWork extends Pick<OpenOptions, 'detail'> {
  readonly source: Source;
  readonly previous: Previous;
  /** The revision of the mirror, if the source may give a delta of it. */
  readonly since?: string | undefined;
}

/**
 * Fetches a registry, builds its mirror and what is served of it, holds that against the guard, and stores it.
 *
 * @throws SynclineError if the source or the store does not do its part
 */
export async function fetchAndStore(
  deps: FetchDependencies,
  context: RunContext,
  { source, isThorough }: FetchOptions,
): Promise<StoreResult> {
  const previous = await readPrevious(deps, context, { isThorough });
  const since = isThorough ? undefined : deltaBase(context, { source, previous });
  const fetched = await fetchAndBuild(deps, context, { source, previous, since });
  return storeBuilt(deps, context, { ...fetched, origin: 'source' });
}

/** The revision that a delta can be applied to: that of the mirror to build upon, of the same source. */
function deltaBase(
  { registry, status }: ReadContext,
  { source, previous }: { source: Source; previous: Previous },
): string | undefined {
  const base = baseOf(registry, previous);
  const isSame = status.sourceHash === sourceHash(registry) && base !== undefined;
  if (source.givesDeltas !== true || !isSame) return undefined;
  return base === previous.mirror?.blob ? status.revision : undefined;
}

/** The manifest that rows of the source are built upon. */
function baseOf(registry: RegistryConfig, { blob, mirror }: Previous): Blob | undefined {
  return isFiltered(registry) ? mirror?.blob : blob;
}

/** The view to derive, if what is served is not the mirror. */
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

/** What was built, and what it was built upon: that may have turned out to be damaged. */
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

/** How to go on after an error. @throws that error, where there is no other way */
function attemptAfter(error: unknown, attempt: FetchAttempt): FetchAttempt {
  const { order, previous } = attempt;
  // Most upstreams give their rows in order; what one that does not gives is read once more, to be sorted.
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
  const session = ingest.open({
    signal,
    detail,
    // Rows of a delta are kept until it is known that they are one.
    order: since === undefined ? order : 'buffered',
    previous: baseOf(registry, previous),
    view: isFiltered(registry) ? viewOf(context, previous) : undefined,
  });
  try {
    const take: TakeBody = (body, origin) => session.add(body, origin);
    const reading = await timePhase('fetch', () => source.fetch(take, context, { since }));
    const readChunks = (digests: readonly string[]) =>
      readChunkBlobs(snapshots, { registry: registry.name, digests });
    const removals = reading.kind === 'delta' ? reading.removals : undefined;
    const built = await timePhase('build', () =>
      session.build({ nowMs: now(), readChunks, removals }),
    );
    const { revision } = reading;
    return { revision, built: { ...built, quarantined: safeQuarantine(built, context) } };
  } finally {
    session.close();
  }
}

/** A row that is no good may have anything in place of a name, also what its upstream was sent. */
function safeQuarantine(
  { quarantined: { count, samples } }: IngestResult,
  { credentials }: ReadContext,
): IngestResult['quarantined'] {
  return {
    count,
    samples: samples.map(({ row, reason }) => ({
      row: withhold(row, credentials),
      reason: withhold(reason, credentials),
    })),
  };
}
