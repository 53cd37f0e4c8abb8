import type { Guard } from '@syncline/contract';

/** How many rows a state has. */
export interface StateSize {
  /** After the filter: what is served. */
  readonly rowCount: number;
  /** Before the filter: what the source has. */
  readonly sourceRowCount: number;
}

export interface GuardInput {
  readonly guard: Guard;
  /** What is served now; `undefined` if nothing was ever published. */
  readonly before: StateSize | undefined;
  readonly after: StateSize;
  /** Whether the two were filtered differently. Rows that the new filter removes are then not lost. */
  readonly isFilterNew: boolean;
}

/** `pass`, or why the guard holds the state back. */
export type GuardVerdict = 'pass' | 'shrink' | 'empty';

/** Returns the numbers that a guard compares: none lost if nothing was ever published, negative if there are more. */
export function guardNumbers({ before, after, isFilterNew }: Omit<GuardInput, 'guard'>) {
  const compared: keyof StateSize = isFilterNew ? 'sourceRowCount' : 'rowCount';
  const countBefore = before?.[compared] ?? 0;
  const countAfter = after[compared];
  const lostPercent = countBefore === 0 ? 0 : ((countBefore - countAfter) / countBefore) * 100;
  return { compared, countBefore, countAfter, lostPercent };
}

/** Returns whether a new state may be published without an approval. */
export function checkGuard({ guard, ...states }: GuardInput): GuardVerdict {
  const { before, after } = states;
  if (after.rowCount === 0) {
    // A registry that was empty before has nothing to lose.
    return guard.allowEmpty || before?.rowCount === 0 ? 'pass' : 'empty';
  }
  return guardNumbers(states).lostPercent > guard.maxShrinkPercent ? 'shrink' : 'pass';
}
