import type { IngestPool, OpenOptions } from './ingest/ingest-pool.ts';
import type { IngestResult } from './ingest/messages.ts';
import { OutOfOrder } from './ingest/row-collector.ts';
import type { Slot } from './ingest/slots.ts';
import type { RunContext, SnapshotStore } from './ports.ts';
import { readChunkBlobs } from './snapshot/reader.ts';
import type { Source, TakeBody } from './sources/source.ts';
import { withhold } from './sources/withhold.ts';
import {
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
  readonly slot: Slot;
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
  { source, slot }: { source: Source; slot: Slot },
): Promise<StoreResult> {
  const previous = await readPrevious(deps, context);
  const { revision, built } = await fetchAndBuild(deps, context, { source, slot, previous });
  return storeBuilt(deps, context, { built, revision, previous });
}

/** Most upstreams give their rows in order; what one that does not gives is read once more, to be sorted. */
export async function fetchAndBuild(
  deps: FetchDependencies,
  context: ReadContext,
  work: FetchWork,
) {
  try {
    return await fetchInOrder(deps, context, { ...work, order: 'arrival' });
  } catch (error) {
    if (!(error instanceof OutOfOrder)) throw error;
    return await fetchInOrder(deps, context, { ...work, order: 'buffered' });
  }
}

async function fetchInOrder(
  { ingest, snapshots }: FetchDependencies,
  context: ReadContext,
  { source, slot, previous, order, detail }: FetchWork & Pick<OpenOptions, 'order'>,
) {
  const { registry, signal, timePhase, now } = context;
  const { filter, name } = registry;
  const session = ingest.open({ filter, signal, slot, order, detail, previous: previous.blob });
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
