import type { Outcome, Phase, RegistryView } from '@syncline/contract';
import { paint, type Style } from './style.ts';
import { counted } from './text.ts';

const PHASES = { Pending: 'gray', Syncing: 'cyan', Complete: 'green', Failed: 'red' } as const;

const OUTCOMES: Partial<Record<Outcome, Style>> = {
  published: 'green',
  held: 'yellow',
  failed: 'red',
};

/** As wide as the widest phase, coloured where standard output is a terminal that wants it. */
export function formatPhase(phase: Phase): string {
  return paint(PHASES[phase], phase.padEnd('Complete'.length));
}

/** Coloured where it is of note. */
export function formatOutcome(outcome: Outcome): string {
  const style = OUTCOMES[outcome];
  return style === undefined ? outcome : paint(style, outcome);
}

/** `300 registries, 1 catalog: 290 Complete, 11 Failed` */
export function countPhases(views: readonly RegistryView[]): string {
  const counts = new Map<Phase, number>();
  for (const { status } of views) counts.set(status.phase, (counts.get(status.phase) ?? 0) + 1);
  const parts = [...counts].map(([phase, count]) => `${count.toLocaleString('en')} ${phase}`);
  const catalogs = views.filter(({ source }) => source.kind === 'catalog').length;
  const total = [
    counted(views.length - catalogs, 'registry', 'registries'),
    ...(catalogs > 0 ? [counted(catalogs, 'catalog')] : []),
  ].join(', ');
  return [total, ...(parts.length > 0 ? [parts.sort().join(', ')] : [])].join(': ');
}
