import type { RegistryConfig } from '@syncline/contract';

/** What of a repository is followed. */
export interface Target {
  /** A ref, or a commit's id, as a fetch takes it. */
  readonly wanted: string;
  /** Where it is a commit, which never changes. */
  readonly commit?: string;
  /** In words: `branch main`. */
  readonly shown: string;
}

type GitConfig = NonNullable<RegistryConfig['git']>;

export function targetOf({ branch, tag, commit }: GitConfig): Target {
  if (commit !== undefined) return { wanted: commit, commit, shown: `commit ${commit}` };
  if (branch !== undefined) return { wanted: `refs/heads/${branch}`, shown: `branch ${branch}` };
  if (tag !== undefined) return { wanted: `refs/tags/${tag}`, shown: `tag ${tag}` };
  return { wanted: 'HEAD', shown: 'branch of its own: it is empty' };
}

/**
 * The commit that a ref stands for, from what `git ls-remote` says: of a tag with a message, the commit
 * that it is about.
 */
export function commitOf(output: string, { wanted }: Target): string | undefined {
  const ids = new Map(
    output.split('\n').map((line) => {
      const [id = '', ref = ''] = line.split('\t');
      return [ref, id] as const;
    }),
  );
  return ids.get(`${wanted}^{}`) ?? ids.get(wanted);
}
