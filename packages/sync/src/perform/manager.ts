import type { Reason } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import type { CreateSource, Source } from '@syncline/sources';
import { decideSyncNeed, type SyncNeed } from '../decide/should-sync.ts';
import type { CheckContext, RunContext } from '../ports/run-context.ts';
import { deriveAndStore } from './derive-and-store.ts';
import { type FetchDependencies, fetchAndStore } from './fetch-and-store.ts';
import { readMembers, revisionOf } from './members.ts';
import { mergeAndStore } from './merge-and-store.ts';
import type { StoreResult } from './store-built.ts';

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
