import type { HistoryEvent } from '../events.ts';
import type { History } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule for invariant I4. */
export const onTime: Rule = {
  name: 'I4',
  promise: 'each registry of the config runs again in time, whatever died',
  find: (history, { intervalMs, lateMs }) =>
    wantedSpans(history).flatMap(({ registry, from, untilMs }): Violation[] => {
      const limitMs = intervalMs(registry) + lateMs;
      const signs = signsOfLife(history, registry).filter(
        ({ atMs }) => atMs >= from.atMs && atMs <= untilMs,
      );
      let last: HistoryEvent = from;
      for (const sign of [...signs, undefined]) {
        const waitedMs = (sign?.atMs ?? untilMs) - last.atMs;
        if (waitedMs > limitMs) {
          const evidence = sign === undefined ? [last] : [last, sign];
          const waited = `${Math.round(waitedMs)} ms`;
          return [{ message: `${registry}: not run for ${waited}, of ${limitMs} ms`, evidence }];
        }
        if (sign !== undefined) last = sign;
      }
      return [];
    }),
};

/** Returns the runs that started, and the checks that found no reason to run. */
function signsOfLife(history: History, registry: string): HistoryEvent[] {
  const confirmed = history.of('confirm-answered').filter(({ accepted }) => accepted);
  return [...history.of('lease-acquired'), ...confirmed]
    .filter((event) => event.registry === registry)
    .sort((one, other) => one.atMs - other.atMs);
}

/** Returns the spans of time in which the config names each registry. */
function wantedSpans(history: History) {
  const spans: { registry: string; from: HistoryEvent; untilMs: number }[] = [];
  const configs = history.of('config-applied');
  for (const registry of new Set(configs.flatMap(({ registries }) => registries))) {
    let from: HistoryEvent | undefined;
    for (const config of configs) {
      const isNamed = config.registries.includes(registry);
      if (isNamed) from ??= config;
      else if (from !== undefined) {
        spans.push({ registry, from, untilMs: config.atMs });
        from = undefined;
      }
    }
    if (from !== undefined) spans.push({ registry, from, untilMs: history.endMs });
  }
  return spans;
}
