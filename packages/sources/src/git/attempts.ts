import { SynclineError } from '@syncline/contract';
import { type Extent, hasOtherFormat, refusesIds } from './clone/clone.ts';
import type { ClaimedClone } from './clone/clone-cache.ts';
import { type Visit, WornClone } from './clone/visit-clone.ts';
import { isUnexplained } from './process/git-errors.ts';
import { GitFailure } from './process/git-process.ts';
import type { Target } from './target.ts';

/** A way to get a clone that has what is wanted; where it fails, another may be left. */
export interface Attempt {
  /** In a new clone, whatever is kept. */
  readonly isFresh: boolean;
  readonly extent: Extent;
  readonly objectFormat: 'sha1' | 'sha256';
}

export function firstAttempt({ commit }: Target): Attempt {
  const objectFormat = commit?.length === 64 ? 'sha256' : 'sha1';
  return { isFresh: false, extent: 'without-files', objectFormat };
}

/** What to try after an error; nothing where that would be in vain. Each way is tried once. */
export function nextAttempt(
  error: unknown,
  { attempt, claimed, visit }: { attempt: Attempt; claimed: ClaimedClone; visit: Visit },
): Attempt | undefined {
  if (visit.context.signal.aborted || visit.taken > 0) return undefined;
  const fresh = { ...attempt, isFresh: true };
  if (hasOtherFormat(error) && attempt.objectFormat === 'sha1') {
    return { ...fresh, objectFormat: 'sha256' };
  }
  // A server that gives no files by their ids has to give all of them.
  if (refusesIds(error) && attempt.extent === 'without-files') return { ...fresh, extent: 'whole' };
  if (error instanceof WornClone) return fresh;
  return isDamage(error, claimed) ? fresh : undefined;
}

/**
 * Whether an error says nothing against the clone: it can be used again. Git that was killed may have
 * left anything; git that has given up by itself has tidied up.
 */
export function isSound(error: unknown, { directory }: ClaimedClone, { context }: Visit): boolean {
  if (context.signal.aborted) return false;
  if (error instanceof GitFailure) return !isUnexplained(error, directory);
  return (
    error instanceof SynclineError &&
    (error.code === 'source-path-missing' || error.code === 'source-path-refused')
  );
}

/** A clone that was kept may be anything by now; one that has just been made is as git made it. */
function isDamage(error: unknown, { isNew, directory }: ClaimedClone): boolean {
  return !isNew && isUnexplained(error, directory);
}
