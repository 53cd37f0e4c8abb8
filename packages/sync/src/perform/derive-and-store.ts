import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import { type FetchDependencies, viewOf } from './fetch-and-store.ts';
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

/**
 * Filters the stored mirror again and stores the result. Does not ask the source.
 *
 * @returns `undefined` if parts of the mirror are lost: then only the source has all rows
 */
export async function deriveAndStore(
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
