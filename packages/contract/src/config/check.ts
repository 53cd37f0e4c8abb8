import type { Config } from './config.ts';

/** Something that is wrong with a config, and where in it. */
export interface ConfigIssue {
  readonly path: readonly (string | number)[];
  /** Begins with `expected`, as the schema's own messages do. */
  readonly message: string;
}

/** Finds what a schema cannot: it takes another package to tell a good glob from a bad one. */
export type ConfigCheck = (config: Config) => readonly ConfigIssue[];
