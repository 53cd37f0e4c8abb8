import type { ConfigProblem, ConfigWarning } from './problem.ts';
import type { ConfigDocument } from './read-document.ts';

export type ConfigPath = readonly PropertyKey[];

/** A config in our own form, whatever form the file has it in. */
export interface ConfigForm {
  /** In our form, not yet checked against the schema. */
  readonly data: unknown;
  /** Where in the file that stands which is at `path` in `data`. */
  readonly placeOf: (path: ConfigPath) => ConfigPath;
  /** A message about `data`, with the names that things have in the file. */
  readonly wordsOf: (message: string) => string;
  /** What is wrong with the file itself. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
}

/** A file that is in our own form. */
export function ownForm({ data }: ConfigDocument): ConfigForm {
  return {
    data,
    placeOf: (path) => path,
    wordsOf: (message) => message,
    problems: [],
    warnings: [],
  };
}
