import { median } from '../measure/statistics.ts';

/** A quantity that is measured at the end of each slice of a soak. */
export interface Series {
  readonly what: string;
  readonly unit: 'MB' | 'KB' | '';
  readonly values: readonly number[];
  /** The id of the process when each value was measured. A killed one starts again. */
  readonly lives?: readonly number[];
  /** This much more is no growth, whatever its share of the whole. */
  readonly floor: number;
}

export type Verdict = 'flat' | 'growing' | 'not judged';

const TOLERANCE = 0.15;
/** Slices, from 0; the first ones warm up. */
const EARLY = [2, 5] as const;
const MIDDLE = [4, 7] as const;
const LATE = [7, 10] as const;
/** The share of the growth since the early slices. Even growth adds more than half of it this late. */
const LATE_SHARE = 1 / 3;

const named = ([from, to]: readonly [number, number]) => `${from + 1} to ${to}`;
export const RULE = `growing: in slices ${named(LATE)} (median) more than in ${named(EARLY)}, by over ${TOLERANCE * 100} % and over the floor; a third of that, or more, since ${named(MIDDLE)}`;

/** Returns whether a series grows; unknown for a process that was killed after the first slices. */
export function judge({ values, lives = [], floor }: Series): Verdict {
  const isOneLife = new Set(lives.slice(EARLY[0])).size <= 1;
  if (!isOneLife || values.length < LATE[1]) return 'not judged';
  const [early, middle, late] = [
    median(values.slice(...EARLY)),
    median(values.slice(...MIDDLE)),
    median(values.slice(...LATE)),
  ];
  const added = late - early;
  const isMuch = added > Math.max(early * TOLERANCE, floor);
  return isMuch && late - middle >= added * LATE_SHARE ? 'growing' : 'flat';
}
