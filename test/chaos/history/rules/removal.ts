import type { EventOf } from '../events.ts';
import type { RunEvents } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/**
 * Returns whether a lease led to a run. It did not if its holder found at once that there is nothing to
 * run.
 */
function wasRun({ called, renewed, tried }: RunEvents): boolean {
  const hasOutcome = tried.some(({ outcome }) => outcome !== undefined);
  return called.length > 0 || renewed.length > 0 || hasOutcome;
}

/** The rule for invariant I7. */
export const removal: Rule = {
  name: 'I7',
  promise: 'registries that the config drops no longer run; those that it names are there',
  find: (history, { removalMs }) => {
    const configs = history.of('config-applied');
    const { outages } = history;
    const inForce = (atMs: number) => configs.findLast((config) => config.atMs <= atMs);
    /**
     * Returns whether a config must be in force by then. While Redis is unavailable, a config cannot come
     * into force.
     */
    const isDueAt = (config: EventOf<'config-applied'>, atMs: number) => {
      const awayMs = outages.reduce(
        (sum, { fromMs, untilMs }) =>
          sum + Math.max(0, Math.min(untilMs, atMs) - Math.max(fromMs, config.atMs)),
        0,
      );
      return atMs - config.atMs > removalMs + awayMs;
    };
    const runs = history.of('lease-acquired').flatMap((event): Violation[] => {
      const before = configs.findLast((config) => isDueAt(config, event.atMs));
      if (before === undefined || !wasRun(history.run(event))) return [];
      const since = configs.filter(({ atMs }) => atMs > before.atMs && atMs < event.atMs);
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
      // Processes need time to learn of a new config.
      const isSure = config !== undefined && isDueAt(config, calledAtMs);
      if (phase !== 'absent' || !seen.has(registry) || !isSure) return [];
      if (!config.registries.includes(registry)) return [];
      return [
        { message: `${registry}: gone, though the config names it`, evidence: [config, event] },
      ];
    });
    return [...runs, ...absent];
  },
};
