import type { Outcome, Phase, RegistryView } from '@syncline/contract';
import { paint, type Style } from './style.ts';
import { countedTargets, formatCount, joined } from './text.ts';

const PHASES = { Pending: 'gray', Syncing: 'cyan', Complete: 'green', Failed: 'red' } as const;

const OUTCOMES: Partial<Record<Outcome, Style>> = {
  published: 'green',
  held: 'yellow',
  failed: 'red',
};

/** Formats a phase, padded to the width of the longest phase. */
export function formatPhase(phase: Phase): string {
  return paint(PHASES[phase], phase.padEnd('Complete'.length));
}

export function formatOutcome(outcome: Outcome): string {
  const style = OUTCOMES[outcome];
  return style === undefined ? outcome : paint(style, outcome);
}

/** Formats counts, as in `300 registries, 1 catalog: 290 Complete, 11 Failed`. */
export function countPhases(views: readonly RegistryView[]): string {
  const counts = new Map<Phase, number>();
  for (const { status } of views) counts.set(status.phase, (counts.get(status.phase) ?? 0) + 1);
  const parts = [...counts].map(([phase, count]) => `${formatCount(count)} ${phase}`);
  const catalogs = views.filter(({ source }) => source.kind === 'catalog').length;
  const total = countedTargets(views.length - catalogs, catalogs);
  return joined([total, parts.sort().join(', ')], ': ');
}
