/** What a repository may ask of us. Tests have smaller ones. */
export interface RepositoryLimits {
  /** Of a kept clone on the disk. */
  readonly maxCloneBytes: number;
  readonly maxFileBytes: number;
  /** Of all files of a run together. */
  readonly maxTotalBytes: number;
  readonly maxFiles: number;
  /** Files and folders looked at on the way. */
  readonly maxEntries: number;
  /** Of folders within the folder that is asked for. */
  readonly maxDepth: number;
  /** Links followed for one path, as many as Linux follows. */
  readonly maxLinks: number;
}

export const DEFAULT_LIMITS: RepositoryLimits = {
  maxCloneBytes: 1024 * 1024 * 1024,
  maxFileBytes: 256 * 1024 * 1024,
  maxTotalBytes: 512 * 1024 * 1024,
  maxFiles: 10_000,
  maxEntries: 100_000,
  maxDepth: 32,
  maxLinks: 40,
};
