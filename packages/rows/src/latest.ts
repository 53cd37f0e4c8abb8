import parse from 'semver/functions/parse.js';
import type { ReadRow } from './row.ts';

/** What decides which version of a server is its latest. */
export type VersionCandidate = Pick<ReadRow, 'version' | 'status' | 'publishedAt'>;

type Ranked = ReturnType<typeof rank>;

/**
 * Returns which rows are the latest of their name: the one that the upstream marks, or by {@link pickLatest} if it
 * marks none or several.
 *
 * @param rows sorted by key, with all versions of each name
 */
export function latestFlags(
  rows: readonly (VersionCandidate & Pick<ReadRow, 'name' | 'isLatest'>)[],
): boolean[] {
  const flags: boolean[] = new Array(rows.length).fill(false);
  for (let start = 0; start < rows.length; ) {
    let end = start + 1;
    while (end < rows.length && rows[end]?.name === rows[start]?.name) end += 1;
    const versions = rows.slice(start, end);
    const claimed = versions.filter(({ isLatest }) => isLatest === true);
    const candidates = claimed.length === 0 ? versions : claimed;
    const latest = candidates[pickLatest(candidates)];
    if (latest !== undefined) flags[start + versions.indexOf(latest)] = true;
    start = end;
  }
  return flags;
}

/**
 * Returns the index of the latest among all versions of one server, by the rule of the official registry:
 *
 * 1. A version that is not deleted precedes deleted ones.
 * 2. A semantic version (`x.y.z`, with or without `v`) precedes all others.
 * 3. Semantic versions compare by precedence, without build metadata; others by `publishedAt`.
 *
 * Among equals, the one published first is the latest, then the first in the list.
 *
 * @returns -1 for an empty list
 */
export function pickLatest(versions: readonly VersionCandidate[]): number {
  // Nearly all names have only one, or one that the upstream marks. Parsing its version would be for nothing.
  if (versions.length === 1) return 0;
  let best: Ranked | undefined;
  let bestIndex = -1;
  for (const [index, candidate] of versions.entries()) {
    const ranked = rank(candidate);
    if (best === undefined || isLater(ranked, best)) {
      best = ranked;
      bestIndex = index;
    }
  }
  return bestIndex;
}

function rank({ version, status, publishedAt = '' }: VersionCandidate) {
  return {
    deleted: status === 'deleted',
    semver: parse(version),
    // The epoch if it is missing or not a time.
    publishedAtMs: Date.parse(publishedAt) || 0,
  };
}

function isLater(one: Ranked, other: Ranked): boolean {
  if (one.deleted !== other.deleted) return other.deleted;
  if (one.semver === null && other.semver === null) return one.publishedAtMs > other.publishedAtMs;
  if (one.semver === null || other.semver === null) return one.semver !== null;
  const order = one.semver.compare(other.semver);
  return order === 0 ? one.publishedAtMs < other.publishedAtMs : order > 0;
}
