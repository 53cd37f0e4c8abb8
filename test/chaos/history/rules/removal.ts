import type { Rule, Violation } from '../violation.ts';

/** I7. */
export const removal: Rule = {
  name: 'I7',
  promise: 'what the config drops is not run any more; what it names is there',
  find: (history, { removalMs }) => {
    const configs = history.of('config-applied');
    const inForce = (atMs: number) => configs.findLast((config) => config.atMs <= atMs);
    const runs = history.of('lease-acquired').flatMap((event): Violation[] => {
      const before = inForce(event.atMs - removalMs);
      const since = configs.filter(
        ({ atMs }) => atMs > event.atMs - removalMs && atMs < event.atMs,
      );
      if (before === undefined) return [];
      const isNamed = [before, ...since].some((it) => it.registries.includes(event.registry));
      if (isNamed) return [];
      const message = `${event.registry}: run, though the config had dropped it`;
      return [{ message, evidence: [before, event] }];
    });
    const seen = new Set<string>();
    const absent = history.of('status-seen').flatMap((event): Violation[] => {
      const { registry, phase, calledAtMs } = event;
      if (phase !== 'absent') seen.add(registry);
      const config = inForce(calledAtMs);
      // A new one takes its time to be known.
      const isSure = config !== undefined && calledAtMs - config.atMs > removalMs;
      if (phase !== 'absent' || !seen.has(registry) || !isSure) return [];
      if (!config.registries.includes(registry)) return [];
      return [
        { message: `${registry}: gone, though the config names it`, evidence: [config, event] },
      ];
    });
    return [...runs, ...absent];
  },
};
