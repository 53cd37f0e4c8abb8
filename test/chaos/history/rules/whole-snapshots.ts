import type { EventOf, HistoryEvent } from '../events.ts';
import { byRegistry, type History, mayHaveEnded } from '../history.ts';
import type { Rule } from '../violation.ts';

/** The rule for invariant I3. */
export const wholeSnapshots: Rule = {
  name: 'I3',
  promise: 'readers see whole snapshots, and only published ones',
  find: (history) => {
    const published = byRegistry(history.events.filter(isPublication));
    return history.of('snapshot-read').flatMap((reading) => {
      const { registry, digest, problem } = reading;
      if (problem !== undefined) {
        return [{ message: `${registry}: a reader found ${problem}`, evidence: [reading] }];
      }
      if (digest === undefined) return [];
      const attempts = (published.get(registry) ?? []).filter((it) => it.publishes === digest);
      const before = attempts.filter(({ atMs }) => atMs < reading.atMs);
      if (before.some((attempt) => isPossible(attempt, history))) return [];
      return [
        {
          message: `${registry}: a reader found ${digest.slice(0, 12)}, which nobody had published`,
          evidence: [...attempts.flatMap((it) => [it, ...history.run(it).answered]), reading],
        },
      ];
    });
  },
};

type Publication = EventOf<'ending-tried' | 'store-ended'>;

function isPublication(event: HistoryEvent): event is Publication {
  const isEnding = event.kind === 'ending-tried' || event.kind === 'store-ended';
  return isEnding && event.publishes !== undefined;
}

/**
 * Returns whether a publication was accepted or may have been accepted, because its answer is
 * missing.
 */
function isPossible(attempt: Publication, history: History): boolean {
  return attempt.kind === 'store-ended' || mayHaveEnded(history.run(attempt));
}
