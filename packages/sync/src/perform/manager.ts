import type { Reason } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import type { CreateSource, Source } from '@syncline/sources';
import { decideSyncNeed, type SyncNeed } from '../decide/should-sync.ts';
import type { IngestPool } from '../ingest/ingest-pool.ts';
import type { CheckContext, RunContext } from '../ports/run-context.ts';
import { deriveAndStore } from './derive-and-store.ts';
import { fetchAndStore } from './fetch-and-store.ts';
import { missingMembers, readMembers, revisionOf } from './members.ts';
import { mergeAndStore } from './merge-and-store.ts';
import type { StoreResult } from './store-built.ts';

/** Is there anything to do, and why. */
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
      /** What to read; `undefined` for a catalog, which is merged from what its registries serve. */
      readonly source: Source | undefined;
      /** Digest of the mirror to filter anew instead. The source is read only if the mirror has lost parts. */
      readonly mirror?: string | undefined;
    };

/** What is done for a registry, without any notion of queue or lease. */
export interface Manager {
  /** Whether the registry is to be fetched: the rules first, then the source's cheap check. */
  shouldSync(context: CheckContext): Promise<SyncDecision>;
  /**
   * Fetches, validates and stores the mirror and what the filter leaves of it. Publishes nothing: that is one step with
   * the run's end.
   *
   * @throws SynclineError if the source or the store does not do its part
   */
  performSync(context: RunContext, decision: SyncDecision & { sync: true }): Promise<StoreResult>;
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
      const deps = { ingest, snapshots };
      const derived = mirror === undefined ? undefined : await deriveAndStore(deps, context);
      if (derived !== undefined) return derived;
      // A mirror that could not be used may be damaged in a way that only reading all of it shows.
      const isThorough = context.force || reason === 'reconcile-due' || mirror !== undefined;
      if (source !== undefined) return fetchAndStore(deps, context, { source, isThorough });
      const { registries = [] } = context.registry.catalog ?? {};
      return mergeAndStore(deps, context, { registries, isThorough });
    },
  };
}

/** A catalog's cheap check: whether its registries still serve what it was built from. */
async function decideMerge(
  snapshots: SnapshotStore,
  registries: readonly string[],
  need: Exclude<SyncNeed, { need: 'none' }>,
): Promise<SyncDecision> {
  const members = await readMembers(snapshots, registries);
  const missing = missingMembers(members);
  if (missing.length > 0) {
    const message = `waiting for the first sync of ${missing.join(', ')}`;
    return { sync: false, outcome: 'skipped', reason: 'members-not-ready', message };
  }
  if (need.need === 'fetch') return { sync: true, reason: need.reason, source: undefined };
  if (need.known !== revisionOf(members)) {
    return { sync: true, reason: need.changed, source: undefined };
  }
  return { sync: false, outcome: 'unchanged', reason: need.unchanged };
}
