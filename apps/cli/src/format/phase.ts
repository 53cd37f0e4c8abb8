import type { Outcome, Phase } from '@syncline/contract';
import { paint, type Style } from './style.ts';

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
