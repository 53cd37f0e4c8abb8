import type { Diff, QuarantinedRow, Reason } from '@syncline/contract';
import { checkGuard } from './guard.ts';
import type { IngestPool } from './ingest/ingest-pool.ts';
import type { IngestResult } from './ingest/messages.ts';
import type { Slot } from './ingest/slots.ts';
import { Interruption } from './lease-keeper.ts';
import type { Blob, Publication, RunContext, SnapshotStore } from './ports.ts';
import { decideSyncNeed } from './should-sync.ts';
import { collectGarbage } from './snapshot/collect.ts';
import { decodeManifest, type Manifest } from './snapshot/manifest.ts';
import { readChunkBlobs } from './snapshot/reader.ts';
import type { CreateSource } from './sources/create-source.ts';
import type { Source } from './sources/source.ts';

/** Is there anything to do, and why. */
export type SyncDecision =
  | {
      readonly sync: false;
      readonly reason: Reason;
      /** `unchanged`: the source was asked. `skipped`: it was not, and `message` says why. */
      readonly because: 'unchanged' | 'skipped';
      readonly message?: string;
      /** A newer mark of the same state. */
      readonly revision?: string;
    }
  | {
      readonly sync: true;
      readonly reason: Reason;
      readonly source: Source;
    };

/** What fetching, validating, filtering and storing came to. */
export type SyncResult =
  | ({ readonly state: 'unchanged' } & SyncedContent)
  /** Stored, and waiting to be published. */
  | ({ readonly state: 'stored'; readonly publication: Publication } & SyncedContent)
  /** Stored, and held back by the guard. */
  | ({
      readonly state: 'held';
      readonly reason: 'shrink' | 'empty';
      readonly snapshot: string;
      readonly rowCountBefore: number;
    } & SyncedContent)
  /** This process does heavy work enough. Call again with the slot that `whenFree` gives. */
  | { readonly state: 'crowded'; readonly whenFree: (signal: AbortSignal) => Promise<Slot> };

export interface SyncedContent {
  readonly revision: string | undefined;
  readonly manifest: Manifest;
  readonly diff: Diff;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
}

/** What is done for a registry, without any notion of queue or lease. */
export interface Manager {
  /** Whether the registry is to be fetched: the rules first, then the source's cheap check. */
  shouldSync(context: RunContext): Promise<SyncDecision>;
  /**
   * Fetches, validates, filters and stores. Publishes nothing: that is one step with the run's end.
   *
   * @throws SynclineError where the source, or the store, does not do its part
   */
  performSync(
    context: RunContext,
    decision: SyncDecision & { sync: true },
    options: { slot: Slot | undefined },
  ): Promise<SyncResult>;
}

export interface ManagerDependencies {
  readonly createSource: CreateSource;
  readonly ingest: IngestPool;
  readonly snapshots: SnapshotStore;
}

export function createManager({ createSource, ingest, snapshots }: ManagerDependencies): Manager {
  return {
    async shouldSync(context) {
      const need = decideSyncNeed({ ...context, nowMs: context.now() });
      if (need.need === 'none') {
        return { sync: false, because: 'skipped', reason: need.reason, message: need.message };
      }
      const source = createSource(context.registry);
      if (need.need === 'fetch') return { sync: true, reason: need.reason, source };
      try {
        const probe = await source.probe(need.known, context);
        if (probe.state === 'changed') return { sync: true, reason: need.changed, source };
        return { ...probe, sync: false, because: 'unchanged', reason: need.unchanged };
      } catch (error) {
        if (context.signal.aborted) throw error;
        context.logger.debug({ err: error }, 'the cheap check failed; fetching instead');
        return { sync: true, reason: 'error-checking-data-changes', source };
      }
    },

    async performSync(context, { source }, { slot: reserved }) {
      const slot = reserved ?? ingest.slots.tryTake();
      if (slot === undefined) {
        return { state: 'crowded', whenFree: (signal) => ingest.slots.take(signal) };
      }
      try {
        return await fetchAndStore(context, { source, slot });
      } finally {
        slot.release();
      }
    },
  };

  async function fetchAndStore(
    context: RunContext,
    { source, slot }: { source: Source; slot: Slot },
  ): Promise<SyncResult> {
    const { registry, signal, timePhase } = context;
    const session = ingest.open({ filter: registry.filter, signal, slot });
    try {
      const { revision } = await timePhase('fetch', () =>
        source.fetch((body) => session.add(body), context),
      );
      const previous = await readPrevious(context);
      const built = await timePhase('build', () =>
        session.build({
          previous: previous.blob,
          nowMs: context.now(),
          readChunks: (digests) => readChunkBlobs(snapshots, { registry: registry.name, digests }),
        }),
      );
      const content = { ...built, revision };
      if (previous.digest !== undefined && isUnchanged(built)) {
        return { ...content, state: 'unchanged', manifest: previous.manifest ?? built.manifest };
      }
      await timePhase('store', () => store(context, built));
      return judge(context, { content, built, previous: previous.manifest });
    } finally {
      session.close();
    }
  }

  async function readPrevious({ registry, status }: RunContext) {
    const digest = status.snapshot;
    const bytes =
      digest === undefined ? undefined : await snapshots.readManifest(registry.name, digest);
    // A manifest that is lost is no reason to fail: the new snapshot is then built from nothing.
    if (digest === undefined || bytes === undefined) {
      return { digest: undefined, blob: undefined, manifest: undefined };
    }
    const blob: Blob = { digest, bytes };
    return { digest, blob, manifest: decodeManifest(blob) };
  }

  async function store({ lease, registry, status, now }: RunContext, built: IngestResult) {
    const written =
      (await snapshots.writeChunks(lease, built.newChunks)) &&
      (await snapshots.writeManifest(lease, built.manifestBlob)) &&
      (await collectGarbage(snapshots, {
        lease,
        keep: registry.snapshots,
        nowMs: now(),
        spare: [built.manifestBlob.digest, status.held?.snapshot, status.snapshot],
      }));
    if (!written) throw new Interruption('lease-lost', 'a write was refused: the lease is lost');
  }

  function judge(
    { registry }: RunContext,
    {
      content,
      built,
      previous,
    }: { content: SyncedContent; built: IngestResult; previous: Manifest | undefined },
  ): SyncResult {
    const snapshot = built.manifestBlob.digest;
    const verdict = checkGuard({
      guard: registry.guard,
      rowCountBefore: previous?.rowCount,
      rowCountAfter: built.manifest.rowCount,
    });
    if (!verdict.pass) {
      const rowCountBefore = previous?.rowCount ?? 0;
      return { ...content, state: 'held', reason: verdict.reason, snapshot, rowCountBefore };
    }
    const chunks = built.manifest.chunks.map(({ digest }) => digest);
    return { ...content, state: 'stored', publication: { manifest: snapshot, chunks } };
  }
}

function isUnchanged({ diff }: IngestResult): boolean {
  return diff.added + diff.updated + diff.removed === 0;
}
