import { basename } from 'node:path';
import { SynclineError } from '@syncline/contract';
import { isAlias, isMap, isPair, isScalar, isSeq, type Node, type Pair } from 'yaml';
import type { ConfigDocument } from './read-document.ts';

/** A setting in a config file that has no effect, and its place. Lines and columns count from 1. */
export interface ConfigWarning {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The path of the setting, such as `registries[0].api.timeout`; empty for the whole file. */
  readonly path: string;
  /** The description. For a problem, it names the found and the expected value. */
  readonly message: string;
}

/** A mistake in a config file, and its place. */
export interface ConfigProblem extends ConfigWarning {
  readonly found: string;
  readonly expected: string;
  /** What the author of the config probably meant. */
  readonly suggestion?: string;
}

/** An invalid config, with all its problems, in the order of the file. */
export class ConfigError extends SynclineError {
  readonly problems: readonly ConfigProblem[];

  constructor(
    code: 'config-invalid' | 'config-unreadable',
    problems: readonly ConfigProblem[],
    options: { readonly cause?: unknown } = {},
  ) {
    // If a file cannot be read, the problem has no line, and its message already names the file.
    const lines = problems.map(
      code === 'config-invalid' ? formatProblem : ({ message }) => message,
    );
    super(code, lines.join('\n'), options);
    this.problems = problems;
  }
}

/**
 * Formats a problem on one line, such as `syncline.yaml:12:5 registries[0].syncPolicy.intervall: unknown key; did you
 * mean interval?`
 */
export function formatProblem(problem: ConfigWarning & Partial<ConfigProblem>): string {
  const place = `${basename(problem.file)}:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : ` ${problem.path}`;
  const suggestion =
    problem.suggestion === undefined ? '' : `; did you mean ${problem.suggestion}?`;
  return `${place}${path}: ${problem.message}${suggestion}`;
}

/** Formats `['registries', 0, 'name']` as `registries[0].name`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((segment) => (typeof segment === 'number' ? `[${segment}]` : `.${String(segment)}`))
    .join('')
    .replace(/^\./, '');
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * Returns the place of the value at `path` in the file, or of the nearest enclosing value that exists. With `at: 'key'`,
 * returns the place of the key instead.
 */
export function locate(
  source: ConfigDocument,
  path: readonly PropertyKey[],
  { at }: { at: 'key' | 'value' } = { at: 'value' },
): Position {
  let node: Node | undefined = source.document.contents ?? undefined;
  let offset = startOf(node) ?? 0;
  for (const [depth, segment] of path.entries()) {
    const pair: Pair | undefined = isMap(node) ? findPair(node.items, segment) : undefined;
    const child = resolve(source, pair === undefined ? itemOf(node, segment) : pair.value);
    const isLast = depth === path.length - 1;
    const key = startOf(pair?.key);
    if (pair === undefined && child === undefined) break;
    // For an alias, uses the place of the alias, because its target may be far away.
    const value = startOf(pair?.value ?? itemOf(node, segment));
    offset = (isLast && at === 'key' ? (key ?? value) : (value ?? key)) ?? offset;
    node = child;
  }
  const { line, col } = source.lineCounter.linePos(offset);
  return { line, column: col };
}

function findPair(items: readonly unknown[], key: PropertyKey): Pair | undefined {
  return items.find(
    (item): item is Pair =>
      isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
  );
}

function itemOf(node: unknown, index: PropertyKey): unknown {
  return isSeq(node) && typeof index === 'number' ? node.items[index] : undefined;
}

function resolve(source: ConfigDocument, value: unknown): Node | undefined {
  if (isAlias(value)) return value.resolve(source.document);
  return isMap(value) || isSeq(value) || isScalar(value) ? value : undefined;
}

function startOf(node: unknown): number | undefined {
  if (isMap(node) || isSeq(node) || isScalar(node) || isAlias(node)) return node.range?.[0];
  return undefined;
}
