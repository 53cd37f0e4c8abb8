import type { Guard } from '@syncline/contract';

export interface GuardInput {
  readonly guard: Guard;
  /** Rows served now; `undefined` where nothing was ever published. */
  readonly rowCountBefore: number | undefined;
  readonly rowCountAfter: number;
}

export type GuardVerdict =
  | { readonly pass: true }
  | { readonly pass: false; readonly reason: 'shrink' | 'empty' };

/** Whether a new state may be published without anyone looking at it. */
export function checkGuard({ guard, rowCountBefore, rowCountAfter }: GuardInput): GuardVerdict {
  if (rowCountAfter === 0) {
    // A registry that was empty already has nothing to lose.
    return guard.allowEmpty || rowCountBefore === 0
      ? { pass: true }
      : { pass: false, reason: 'empty' };
  }
  if (rowCountBefore === undefined || rowCountBefore === 0) return { pass: true };
  const lostPercent = ((rowCountBefore - rowCountAfter) / rowCountBefore) * 100;
  return lostPercent > guard.maxShrinkPercent ? { pass: false, reason: 'shrink' } : { pass: true };
}
