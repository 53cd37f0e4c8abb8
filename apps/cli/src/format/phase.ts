import { styleText } from 'node:util';
import type { Phase } from '@syncline/contract';

const COLORS = { Pending: 'gray', Syncing: 'cyan', Complete: 'green', Failed: 'red' } as const;

/** As wide as the widest phase, coloured where standard output is a terminal that wants it. */
export function formatPhase(phase: Phase): string {
  return styleText(COLORS[phase], phase.padEnd('Complete'.length), { stream: process.stdout });
}
