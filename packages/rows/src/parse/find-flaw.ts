/** A row that nests deeper than this is quarantined: the deepest known real one has 10 levels. */
export const MAX_ROW_DEPTH = 200;

/**
 * Why a value cannot be kept as it is, if it cannot: it nests too deep, as one does that holds itself, or
 * has a number that JSON cannot say. To be said after its name.
 */
export function findFlaw(value: unknown, depth = 1): string | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : 'has a number that is too large to be held';
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_ROW_DEPTH) return `nests deeper than ${MAX_ROW_DEPTH} levels`;
  for (const member of Object.values(value)) {
    const flaw = findFlaw(member, depth + 1);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}
