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
  /** What is served now; `undefined` where nothing was ever published. */
  readonly before: StateSize | undefined;
  readonly after: StateSize;
  /** Whether the two were filtered differently: then what the filter takes away is wanted. */
  readonly isFilterNew: boolean;
}

export type GuardVerdict =
  | { readonly pass: true }
  | { readonly pass: false; readonly reason: 'shrink' | 'empty' };

/** Whether a new state may be published without anyone looking at it. */
export function checkGuard({ guard, before, after, isFilterNew }: GuardInput): GuardVerdict {
  if (after.rowCount === 0) {
    // A registry that was empty already has nothing to lose.
    return guard.allowEmpty || before?.rowCount === 0
      ? { pass: true }
      : { pass: false, reason: 'empty' };
  }
  const compared = isFilterNew ? 'sourceRowCount' : 'rowCount';
  const countBefore = before?.[compared] ?? 0;
  if (countBefore === 0) return { pass: true };
  const lostPercent = ((countBefore - after[compared]) / countBefore) * 100;
  return lostPercent > guard.maxShrinkPercent ? { pass: false, reason: 'shrink' } : { pass: true };
}
