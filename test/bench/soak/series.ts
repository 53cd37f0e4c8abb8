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
const EARLY = [2, 5] as const;
const MIDDLE = [4, 7] as const;
const LATE = [7, 10] as const;
/** Of what has been added since the early slices. What grows evenly adds more than half of it so late. */
const LATE_SHARE = 1 / 3;

const named = ([from, to]: readonly [number, number]) => `${from + 1} to ${to}`;
export const RULE = `growing: in slices ${named(LATE)} (median) more than in ${named(EARLY)}, by over ${TOLERANCE * 100} % and over the floor; a third of that, or more, since ${named(MIDDLE)}`;

/** Whether a series grows; of a process that was killed after the first slices, nothing can be said. */
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
