import type { EventOf } from '../events.ts';
import type { History } from '../history.ts';
import { findRecoveries, type Recovery } from '../recoveries.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule for the time that a registry needs to recover after a kill. */
export const recovery: Rule = {
  name: 'recovery',
  promise: 'a run whose process was killed is soon followed by another one',
  find: (history, { recoveryMs }) =>
    findRecoveries(history).flatMap((found): Violation[] => {
      const { lost, kill, next } = found;
      const untilMs = next?.atMs ?? history.endMs;
      const tookMs = untilMs - kill.atMs;
      if (tookMs <= recoveryMs || isHurtAgain(history, found, recoveryMs)) return [];
      const took = `${Math.round(tookMs)} ms, of ${recoveryMs} ms`;
      return [
        {
          message: `${lost.registry}: not run for ${took}, after the kill of ${kill.target}`,
          evidence: [lost, kill, ...(next === undefined ? [] : [next])],
        },
      ];
    }),
};

/** Returns whether another fault of workers or Redis in that time may have delayed the run. */
function isHurtAgain(history: History, { kill }: Recovery, recoveryMs: number): boolean {
  const isOther = (fault: EventOf<'fault'>) => {
    const isNear = fault.atMs < kill.atMs + recoveryMs && (fault.untilMs ?? fault.atMs) > kill.atMs;
    return fault !== kill && isNear && /^(worker|redis)/.test(fault.target);
  };
  return history.of('fault').some(isOther);
}
