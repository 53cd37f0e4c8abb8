import { byRegistry } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule for invariant I6. */
export const noFlood: Rule = {
  name: 'I6',
  promise: 'missed ticks become one run',
  find: (history, { intervalMs, scheduledPerInterval }) => {
    const scheduled = history.runs
      .filter(({ tried }) => tried.some(({ trigger }) => trigger === 'schedule'))
      .flatMap(({ acquired }) => acquired);
    const violations: Violation[] = [];
    for (const [registry, leases] of byRegistry(scheduled)) {
      const begun = leases.toSorted((one, other) => one.atMs - other.atMs);
      const first = begun.findIndex((event, index) => {
        const after = begun[index + scheduledPerInterval];
        return after !== undefined && after.atMs - event.atMs < intervalMs(registry);
      });
      if (first < 0) continue;
      const evidence = begun.slice(first, first + scheduledPerInterval + 1);
      violations.push({
        message: `${registry}: ${evidence.length} scheduled runs began within one interval`,
        evidence,
      });
    }
    return violations;
  },
};
