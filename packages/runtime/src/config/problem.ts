import { basename } from 'node:path';
import { SynclineError } from '@syncline/contract';

/** Something that a config file asks for and does not get, and where. Lines and columns count from 1. */
export interface ConfigWarning {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** As in `registries[0].api.timeout`; empty for the whole file. */
  readonly path: string;
  /** What it is, in words; of a problem, it tells what was found and what was expected. */
  readonly message: string;
}

/** One thing that is wrong with a config file, and where. */
export interface ConfigProblem extends ConfigWarning {
  readonly found: string;
  readonly expected: string;
  /** What was probably meant. */
  readonly suggestion?: string;
}

/** A config that cannot be used, with every problem that was found in it, in the order of the file. */
export class ConfigError extends SynclineError {
  readonly problems: readonly ConfigProblem[];

  constructor(
    code: 'config-invalid' | 'config-unreadable',
    problems: readonly ConfigProblem[],
    options: { readonly cause?: unknown } = {},
  ) {
    // What cannot be read has no lines, and its message names the file.
    const lines = problems.map(
      code === 'config-invalid' ? formatProblem : ({ message }) => message,
    );
    super(code, lines.join('\n'), options);
    this.problems = problems;
  }
}

/** One line: `syncline.yaml:12:5 registries[0].syncPolicy.intervall: unknown key; did you mean interval?` */
export function formatProblem(problem: ConfigWarning & Partial<ConfigProblem>): string {
  const place = `${basename(problem.file)}:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : ` ${problem.path}`;
  const suggestion =
    problem.suggestion === undefined ? '' : `; did you mean ${problem.suggestion}?`;
  return `${place}${path}: ${problem.message}${suggestion}`;
}

/** `['registries', 0, 'name']` as `registries[0].name`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((segment) => (typeof segment === 'number' ? `[${segment}]` : `.${String(segment)}`))
    .join('')
    .replace(/^\./, '');
}
