/** Yields the items in batches of `size`. The last batch may be smaller. */
export function* batchesOf<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** Applies `work` to each item, in parallel batches of `size`. Returns the results in the order of the items. */
export async function mapInBatches<Item, Result>(
  items: readonly Item[],
  size: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const batch of batchesOf(items, size)) results.push(...(await Promise.all(batch.map(work))));
  return results;
}
