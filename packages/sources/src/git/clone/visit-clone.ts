import { SynclineError } from '@syncline/contract';
import type { SourceContext, TakeBody } from '../../source.ts';
import type { Route } from '../access/route.ts';
import type { Attempt, Git, Target } from '../git.ts';
import { Clone, HEAD_COMMIT, HEAD_TREE, refusesIds } from './clone.ts';
import type { ClaimedClone } from './clone-cache.ts';
import { CloneTree, MAX_TREE_BYTES, missingObject, type ObjectReader } from './clone-tree.ts';
import { getFiles, selectFiles } from './select-files.ts';

/** The data of one run that reads a repository. */
export interface Visit {
  readonly git: Git;
  readonly route: Route;
  readonly target: Target;
  /** The configured file or folder. */
  readonly path: string;
  readonly timeoutMs: number;
  /** The repository for messages, without credentials. */
  readonly shown: string;
  /** If the clone already has this commit, the run fetches nothing. */
  readonly knownCommit: string | undefined;
  readonly take: TakeBody;
  readonly context: SourceContext;
  /** The number of bodies passed to `take`. After the first body, the visit cannot be repeated. */
  taken: number;
}

/** Thrown if a clone has so many packs that a new clone is better. */
export class WornClone extends Error {
  override readonly name = 'WornClone';
}

const MAX_COMMIT_BYTES = 1024 * 1024;

/**
 * Updates a clone and passes the configured files to `take`.
 *
 * @returns the id of the commit that contains the files
 * @throws SynclineError, GitFailure, {@link WornClone}
 */
export async function visitClone(
  visit: Visit,
  { claimed, attempt }: { claimed: ClaimedClone; attempt: Attempt },
): Promise<string> {
  const { git, context, target } = visit;
  const clone = new Clone({ ...visit, directory: claimed.directory });
  if (claimed.isNew) await clone.create(attempt.objectFormat);
  else if (await clone.isWorn()) throw new WornClone();
  if (claimed.isNew || !(await hasKnownCommit(clone, visit))) {
    context.report(`fetching ${visit.shown}`);
    await fetchHead(clone, { visit, attempt });
  }
  await using reader = await clone.openReader();
  const head = await readHead(reader);
  if (head === undefined) {
    if (!claimed.isNew) throw missingObject(HEAD_COMMIT);
    throw new SynclineError(
      'source-ref-missing',
      `${target.shown} of ${visit.shown} is not a commit`,
    );
  }
  const { limits } = git;
  const tree = new CloneTree({ rootId: head.rootId, limits }, { clone, reader });
  const files = await selectFiles(tree, visit.path);
  await getFiles(files, { clone, limits });
  context.report(`reading ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
  for (const { id, origin } of files) {
    const file = await reader.read(id, limits.maxFileBytes);
    if (file === undefined) throw missingObject(id);
    using _memory = file;
    visit.taken += 1;
    await visit.take(file.bytes, origin);
  }
  return head.commit;
}

/**
 * Returns whether the clone is at the known commit. The known commit is the configured one, or one that
 * this run has fetched.
 */
async function hasKnownCommit(clone: Clone, { knownCommit }: Visit): Promise<boolean> {
  if (knownCommit === undefined) return false;
  await using reader = await clone.openReader();
  return (await readHead(reader))?.commit === knownCommit;
}

async function readHead(reader: ObjectReader) {
  using commit = await reader.read(HEAD_COMMIT, MAX_COMMIT_BYTES);
  using root = await reader.read(HEAD_TREE, MAX_TREE_BYTES);
  if (commit === undefined || root === undefined) return undefined;
  return { commit: commit.id, rootId: root.id };
}

async function fetchHead(
  clone: Clone,
  { visit: { target, shown }, attempt }: { visit: Visit; attempt: Attempt },
): Promise<void> {
  try {
    await clone.fetchHead(target.wanted, attempt.extent);
  } catch (error) {
    if (target.commit === undefined || !refusesIds(error)) throw error;
    await clone.fetchHistory(attempt.extent);
    if (await clone.moveHead(target.commit)) return;
    const what = `${shown} has no ${target.shown}. Set git.commit to a commit that a branch or tag contains`;
    throw new SynclineError('source-ref-missing', what);
  }
}
