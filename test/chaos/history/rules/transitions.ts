import type { Outcome, Phase } from '@syncline/contract';
import type { EventOf } from '../events.ts';
import { byRegistry, type History, type Span } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule for the transition table in `SPEC.md`. */
export const transitions: Rule = {
  name: 'transitions',
  promise: 'a status changes only as the transition table allows',
  find: (history) => [
    ...findWrongEndings(history),
    ...findWrongMoves(history),
    ...findForgotten(history),
  ],
};

const PHASES_AFTER: Readonly<Record<Outcome, readonly Phase[]>> = {
  published: ['Complete'],
  unchanged: ['Complete'],
  held: ['Complete'],
  failed: ['Failed'],
  skipped: ['Pending', 'Complete', 'Failed'],
  interrupted: ['Pending', 'Complete', 'Failed'],
};

/** Finds runs whose outcome does not permit the phase that they leave. */
function findWrongEndings(history: History): Violation[] {
  return history.of('ending-tried').flatMap((ending): Violation[] => {
    const { registry, outcome, phase } = ending;
    if (phase === undefined) return [];
    const allowed = outcome === undefined ? PHASES_AFTER.interrupted : PHASES_AFTER[outcome];
    if (allowed.includes(phase)) return [];
    return [
      { message: `${registry}: ${phase} after a run that was ${outcome}`, evidence: [ending] },
    ];
  });
}

/**
 * Finds wrong ends of runs in the record of Redis. A run must end only once, and must leave a phase other
 * than Syncing.
 */
function findWrongMoves({ events }: History): Violation[] {
  const violations: Violation[] = [];
  const phases = new Map<string, EventOf<'store-acquired' | 'store-ended'>>();
  for (const event of events) {
    if (event.kind === 'store-unknown') phases.clear();
    if (event.kind !== 'store-acquired' && event.kind !== 'store-ended') continue;
    const { registry } = event;
    const before = phases.get(registry);
    const endsWhatHasEnded = event.kind === 'store-ended' && before?.kind === 'store-ended';
    const endsAsSyncing = event.kind === 'store-ended' && event.phase === 'Syncing';
    if (endsWhatHasEnded || endsAsSyncing) {
      const evidence = before === undefined ? [event] : [before, event];
      const what = endsAsSyncing ? 'Syncing after its run' : 'a run ended that none was';
      violations.push({ message: `${registry}: ${what}`, evidence });
    }
    phases.set(registry, event);
  }
  return violations;
}

/**
 * Finds forgotten registries in the records of pollers. A synced registry must not be Pending again unless
 * the store has lost its data.
 */
function findForgotten(history: History): Violation[] {
  const { losses } = history;
  const violations: Violation[] = [];
  for (const [registry, seen] of byRegistry(history.of('status-seen'))) {
    let settled: EventOf<'status-seen'> | undefined;
    for (const event of seen) {
      if (event.phase === 'absent') settled = undefined;
      if (event.phase === 'Complete' || event.phase === 'Failed') settled = event;
      if (event.phase !== 'Pending' || settled === undefined) continue;
      if (!isLostBetween(losses, settled, event)) {
        const message = `${registry}: Pending after ${settled.phase}`;
        violations.push({ message, evidence: [settled, event] });
      }
      settled = undefined;
    }
  }
  return violations;
}

function isLostBetween(
  losses: readonly Span[],
  one: EventOf<'status-seen'>,
  other: EventOf<'status-seen'>,
): boolean {
  return losses.some(({ fromMs, untilMs }) => untilMs >= one.calledAtMs && fromMs <= other.atMs);
}
