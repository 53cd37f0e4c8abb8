import type { EventOf, HistoryEvent } from '../events.ts';
import type { History, RunEvents } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule that a run gives up work whose result cannot be used. */
export const upstreamAfterLoss: Rule = {
  name: 'upstream-after-loss',
  promise: 'a run that has lost its lease leaves its upstream alone',
  find: (history, { quietAfterMs }) =>
    history.runs.flatMap((run): Violation[] => {
      const lost = findLoss(run);
      if (lost === undefined) return [];
      const late = run.called.find((call) => runningMs(history, { lost, call }) > quietAfterMs);
      if (late === undefined) return [];
      const afterMs = Math.round(late.atMs - lost.atMs);
      const message = `${run.registry}: ${run.term} asked its upstream ${afterMs} ms after it had lost its lease`;
      return [{ message, evidence: [...lost.evidence, late] }];
    }),
};

interface Loss {
  readonly atMs: number;
  readonly evidence: readonly HistoryEvent[];
}

/**
 * Returns when and why a run lost its lease. The time of a lease counts from the call of its last
 * renewal.
 */
function findLoss({ acquired, renewed, refused }: RunEvents): Loss | undefined {
  const last = renewed.at(-1) ?? acquired[0];
  if (last === undefined) return undefined;
  const lapsedAtMs = last.calledAtMs + last.ttlMs;
  const [refusal] = refused;
  if (refusal !== undefined && refusal.atMs < lapsedAtMs) {
    return { atMs: refusal.atMs, evidence: [last, refusal] };
  }
  return { atMs: lapsedAtMs, evidence: [last] };
}

/**
 * Returns how long the process was running between the loss and the call. A stopped process cannot
 * notice the loss, so the stopped time does not count.
 */
function runningMs(
  history: History,
  { lost, call }: { lost: Loss; call: EventOf<'upstream-called'> },
): number {
  const stopped = history
    .of('fault')
    .filter(({ target, stops }) => stops === true && target === call.process);
  const stoppedMs = stopped.reduce((sum, { atMs, untilMs = atMs }) => {
    const overlapMs = Math.min(untilMs, call.atMs) - Math.max(atMs, lost.atMs);
    return sum + Math.max(0, overlapMs);
  }, 0);
  return call.atMs - lost.atMs - stoppedMs;
}
