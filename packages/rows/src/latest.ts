import parse from 'semver/functions/parse.js';
import type { ReadRow } from './row.ts';

/** The fields that decide which version of a server is the latest. */
export type VersionCandidate = Pick<ReadRow, 'version' | 'status' | 'publishedAt'>;

type Ranked = ReturnType<typeof rank>;

/**
 * Returns for each row whether it is the latest version of its name. If the upstream marks exactly one version, that
 * version is the latest. Otherwise, {@link pickLatest} decides.
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
 * Returns the index of the latest version of one server, by the rule of the official registry:
 *
 * 1. A version that is not deleted beats a deleted version.
 * 2. A semantic version (`x.y.z`, with or without `v`) beats any other version.
 * 3. Semantic versions compare by precedence, without build metadata. Other versions compare by `publishedAt`.
 *
 * Among equal semantic versions, the first published version wins. Any other tie goes to the first in the list.
 *
 * @returns -1 for an empty list
 */
export function pickLatest(versions: readonly VersionCandidate[]): number {
  // Most names have only one candidate. Parsing its version would waste time.
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
    // An invalid or missing time counts as the epoch.
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
