import { readChunkBlobs, type SnapshotStore } from '@syncline/snapshot';
import { type Source, type TakeBody, withhold } from '@syncline/sources';
import type { IngestPool, OpenOptions } from '../ingest/ingest-pool.ts';
import type { IngestResult } from '../ingest/messages.ts';
import { OutOfOrder } from '../ingest/row-collector.ts';
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
  /** Reads all of what is served, to find what is damaged; else only what is lost is found. */
  readonly isThorough: boolean;
}

export interface FetchWork extends Pick<OpenOptions, 'detail'> {
  readonly source: Source;
  readonly previous: Previous;
}

/**
 * Fetches a registry, builds its snapshot, holds that against the guard, and stores it.
 *
 * @throws SynclineError where the source, or the store, does not do its part
 */
export async function fetchAndStore(
  deps: FetchDependencies,
  context: RunContext,
  { source, isThorough }: FetchOptions,
): Promise<StoreResult> {
  const previous = await readPrevious(deps, context, { isThorough });
  return storeBuilt(deps, context, await fetchAndBuild(deps, context, { source, previous }));
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
  if (!isDamage(error) || previous.blob === undefined) throw error;
  return { ...attempt, previous: { manifest: previous.manifest } };
}

async function fetchOnce(
  { ingest, snapshots }: FetchDependencies,
  context: ReadContext,
  { source, previous, order, detail }: FetchAttempt,
) {
  const { registry, signal, timePhase, now } = context;
  const { filter, name } = registry;
  const session = ingest.open({ filter, signal, order, detail, previous: previous.blob });
  try {
    const take: TakeBody = (body, origin) => session.add(body, origin);
    const { revision } = await timePhase('fetch', () => source.fetch(take, context));
    const readChunks = (digests: readonly string[]) =>
      readChunkBlobs(snapshots, { registry: name, digests });
    const built = await timePhase('build', () => session.build({ nowMs: now(), readChunks }));
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
