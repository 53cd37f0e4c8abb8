import type { Rule, Violation } from '../violation.ts';

/**
 * The rule that each registry has a schedule. Invariant I4 depends on the schedules, even if other
 * mechanisms can replace them for a time.
 */
export const scheduled: Rule = {
  name: 'scheduled',
  promise: 'in the end each registry of the config has its schedule, and no other has',
  find: (history) => {
    const config = history.of('config-applied').at(-1);
    const seen = history.of('schedules-seen').at(-1);
    if (config === undefined || seen === undefined) return [];
    const missing = config.registries.filter((name) => !seen.registries.includes(name));
    const strange = seen.registries.filter((name) => !config.registries.includes(name));
    const evidence = [config, seen];
    return [
      ...missing.map((name): Violation => ({ message: `${name}: has no schedule`, evidence })),
      ...strange.map((name): Violation => ({ message: `${name}: has a schedule still`, evidence })),
    ];
  },
};
