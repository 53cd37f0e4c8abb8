import { type StatusChanges, SynclineError } from '@syncline/contract';
import { registryConfig } from '@syncline/contract/testing';
import type { Publication } from '@syncline/snapshot';
import type { RunContext } from '../../ports/run-context.ts';
import type { RunEnding } from '../../ports/run-store.ts';
import { endingOf, isPoison, poisonError, type RunResult } from '../../run/outcome.ts';
import { createRecordingLogger } from '../recorders.ts';
import { testBudget } from '../test-budget.ts';
import type { Acquired, EndingKind, ModelEnding } from './model.ts';

const NOTHING_CHANGED = {
  added: 0,
  updated: 0,
  removed: 0,
  samples: { added: [], updated: [], removed: [] },
};
const MANIFEST = {
  rowCount: 1,
  sourceRowCount: 1,
  serverCount: 1,
  skillCount: 0,
  pluginCount: 0,
  newestMs: 0,
  chunks: [],
};

/** Returns what a run writes at its end, with the code that real runs use. */
export function endRun(
  acquired: Acquired,
  kind: Exclude<EndingKind, 'poisoned'>,
  publication?: Publication,
): { written: RunEnding; model: Pick<ModelEnding, 'kind' | 'message'> } {
  const context = contextOf(acquired);
  const isPoisoned = isPoison(context);
  const result = isPoisoned ? failure(poisonError()) : resultOf({ kind, publication });
  const { run, changes } = endingOf(context, result, { random: 0, durationMs: 1 });
  return {
    written: { changes, run, handledRequest: run.handledRequest },
    model: { kind: isPoisoned ? 'poisoned' : kind, message: messageOf(changes) },
  };
}

function failure(error: SynclineError): RunResult {
  return { outcome: 'failed', error };
}

function resultOf({
  kind,
  publication,
}: {
  kind: Exclude<EndingKind, 'poisoned'>;
  publication: Publication | undefined;
}): RunResult {
  switch (kind) {
    case 'published': {
      if (publication === undefined) throw new Error('nothing to publish');
      return {
        outcome: 'performed',
        reason: 'source-data-changed',
        stored: {
          state: 'stored',
          origin: 'source',
          mirror: undefined,
          publication,
          manifest: MANIFEST,
          diff: NOTHING_CHANGED,
          quarantined: { count: 0, samples: [] },
          revision: undefined,
        },
      };
    }
    case 'unchanged':
      return { sync: false, reason: 'up-to-date-with-policy', outcome: 'unchanged' };
    case 'skipped':
      return { sync: false, reason: 'suspended', outcome: 'skipped', message: 'suspended' };
    case 'failed':
      return failure(new SynclineError('source-unreachable', 'nobody answers'));
    case 'interrupted':
      return { outcome: 'interrupted', message: 'told to stop' };
  }
}

function messageOf(changes: StatusChanges): string | null | undefined {
  return 'message' in changes ? changes.message : null;
}

function contextOf({ lease, nowMs, status, control, served }: Acquired): RunContext {
  return {
    registry: registryConfig({ name: lease.registry }),
    lease,
    status,
    control,
    served,
    trigger: 'manual',
    force: false,
    startedAtMs: nowMs,
    signal: new AbortController().signal,
    now: () => nowMs,
    upstream: { requests: 0, bytes: 0 },
    memory: testBudget().open(lease.registry),
    credentials: new Set(),
    logger: createRecordingLogger(),
    report: () => {},
    timePhase: (_phase, work) => work(),
    staging: { hasBegun: false },
    onEnd: () => {},
  };
}
