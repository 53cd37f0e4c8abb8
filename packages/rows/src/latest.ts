import type { SemVer } from 'semver';
import parse from 'semver/functions/parse.js';
import type { ServerStatus } from './row.ts';

/** What decides which version of a server is its latest. */
export interface VersionCandidate {
  readonly version: string;
  readonly status: ServerStatus;
  /** RFC 3339; the epoch where it is not known. */
  readonly publishedAt: string | undefined;
}

interface Ranked {
  readonly deleted: boolean;
  readonly semver: SemVer | null;
  readonly publishedAtMs: number;
}

/**
 * Index of the latest among all versions of one server, by the rule of the official registry: what is
 * not deleted goes before what is; a semantic version (`x.y.z`, with or without `v`) before any other;
 * two semantic versions by precedence, where build metadata does not count; two others by
 * `publishedAt`. Among equals the one published first stays the latest, then the first in the list.
 *
 * @returns -1 for an empty list
 */
export function pickLatest(versions: readonly VersionCandidate[]): number {
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

function rank({ version, status, publishedAt }: VersionCandidate): Ranked {
  const publishedAtMs = publishedAt === undefined ? Number.NaN : Date.parse(publishedAt);
  return {
    deleted: status === 'deleted',
    semver: parse(version),
    publishedAtMs: Number.isNaN(publishedAtMs) ? 0 : publishedAtMs,
  };
}

function isLater(one: Ranked, other: Ranked): boolean {
  if (one.deleted !== other.deleted) return other.deleted;
  if (one.semver === null && other.semver === null) return one.publishedAtMs > other.publishedAtMs;
  if (one.semver === null || other.semver === null) return one.semver !== null;
  const order = one.semver.compare(other.semver);
  return order === 0 ? one.publishedAtMs < other.publishedAtMs : order > 0;
}
