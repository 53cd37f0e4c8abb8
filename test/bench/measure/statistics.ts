/** Returns the value that `share` (0 to 1) of the values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const place = Math.max(0, Math.ceil(share * sorted.length) - 1);
  const value = sorted[place];
  if (value === undefined) throw new RangeError('there is no quantile of no values');
  return value;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Runs both in turn, so that other load on the machine affects both, and returns each one's median. */
export async function alternate(
  rounds: number,
  { baseline, syncline }: Record<'baseline' | 'syncline', () => Promise<number>>,
): Promise<{ readonly baseline: number; readonly syncline: number }> {
  const values: Record<'baseline' | 'syncline', number[]> = { baseline: [], syncline: [] };
  for (let round = 0; round < rounds; round += 1) {
    values.baseline.push(await baseline());
    values.syncline.push(await syncline());
  }
  return { baseline: median(values.baseline), syncline: median(values.syncline) };
}
