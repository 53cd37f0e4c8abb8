import { median } from '../measure/statistics.ts';

/** Something that is measured at the end of each slice of a soak. */
export interface Series {
  readonly what: string;
  readonly unit: 'MB' | 'KB' | '';
  readonly values: readonly number[];
  /** Of a process: its id when each value was measured. One that was killed begins anew. */
  readonly lives?: readonly number[];
  /** So much more is no growth, whatever share of the whole it is. */
  readonly floor: number;
}

export type Verdict = 'flat' | 'growing' | 'not judged';

const TOLERANCE = 0.15;
/** Slices, from 0; the first ones warm up. */
const EARLY = { from: 2, to: 5 };
const LATE_COUNT = 3;

export const RULE = `growing: in the last ${LATE_COUNT} slices (median) more than in slices ${EARLY.from + 1} to ${EARLY.to}, by over ${TOLERANCE * 100} % and over the floor`;

/** Whether a series grows; of a process that was killed after the first slices, nothing can be said. */
export function judge({ values, lives = [], floor }: Series): Verdict {
  const isOneLife = new Set(lives.slice(EARLY.from)).size <= 1;
  if (!isOneLife || values.length < EARLY.to + LATE_COUNT) return 'not judged';
  const before = median(values.slice(EARLY.from, EARLY.to));
  const after = median(values.slice(-LATE_COUNT));
  return after - before > Math.max(before * TOLERANCE, floor) ? 'growing' : 'flat';
}
