import type { EventOf, HistoryEvent } from '../events.ts';
import { byRegistry, type History } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule for invariant I1. */
export const oneHolder: Rule = {
  name: 'I1',
  promise: 'at most one run has the lease of a registry, and terms grow',
  find: (history) => [...findOverlaps(history), ...findOldTerms(history)],
};

type StoreEvent = EventOf<'store-acquired' | 'store-renewed' | 'store-ended' | 'store-unknown'>;
const STORE_KINDS: ReadonlySet<string> = new Set([
  'store-acquired',
  'store-renewed',
  'store-ended',
  'store-unknown',
]);

function isStoreEvent(event: HistoryEvent): event is StoreEvent {
  return STORE_KINDS.has(event.kind);
}

/** The time of a call and the time of its script differ by less than this. */
const CLOCK_STEP_MS = 1;

/** Finds leases, in the record of Redis, that were given while another lease was valid. */
function findOverlaps({ events }: History): Violation[] {
  const violations: Violation[] = [];
  const held = new Map<string, { since: HistoryEvent; term: string; untilMs: number }>();
  for (const event of events.filter(isStoreEvent)) {
    if (event.kind === 'store-unknown') {
      held.clear();
      continue;
    }
    const { registry, term } = event;
    const before = held.get(registry);
    if (event.kind === 'store-ended') {
      if (before?.term === term) held.delete(registry);
      continue;
    }
    const leftMs = (before?.untilMs ?? 0) - event.redisMs;
    if (event.kind === 'store-acquired' && before !== undefined && leftMs > CLOCK_STEP_MS) {
      violations.push({
        message: `${registry}: term ${term} was given while ${before.term} had ${Math.round(leftMs)} ms left`,
        evidence: [before.since, event],
      });
    }
    held.set(registry, { since: event, term, untilMs: event.leaseUntilMs });
  }
  return violations;
}

/**
 * Finds terms, in the records of workers, that do not grow. A call that begins after the answer to
 * another call must get a larger term.
 */
function findOldTerms(history: History): Violation[] {
  const violations: Violation[] = [];
  for (const [registry, acquired] of byRegistry(history.of('lease-acquired'))) {
    const byTerm = acquired.toSorted((one, other) =>
      BigInt(one.term) < BigInt(other.term) ? -1 : 1,
    );
    for (const [index, event] of byTerm.entries()) {
      const next = byTerm[index + 1];
      if (next === undefined) continue;
      if (next.term === event.term) {
        violations.push({
          message: `${registry}: term ${event.term} was given twice`,
          evidence: [event, next],
        });
      } else if (next.atMs < event.calledAtMs) {
        violations.push({
          message: `${registry}: term ${event.term} was given after ${next.term}`,
          evidence: [next, event],
        });
      }
    }
  }
  return violations;
}
