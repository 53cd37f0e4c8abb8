import { dirname, resolve } from 'node:path';
import {
  type Config,
  type ConfigCheck,
  type ConfigInput,
  configSchema,
  digestOf,
  sourcePaths,
} from '@syncline/contract';
import { allIssues, problemsOfIssues } from './issues.ts';
import { ConfigError, type ConfigWarning } from './problem.ts';
import { ownForm, parseConfigText, readSettledText } from './read-document.ts';
import { isToolHiveConfig, translateToolHive } from './toolhive.ts';

/** A config file that holds, in every form that is needed of it. */
export interface LoadedConfig {
  /** Parsed: durations in milliseconds, all defaults filled in. */
  readonly config: Config;
  /** As it was written, relative paths made absolute; of a ToolHive config, in our own form. */
  readonly input: ConfigInput;
  /** SHA-256, in hex, of the canonical JSON of `input`. */
  readonly digest: string;
  /** The file, absolute. */
  readonly path: string;
  /** What the file asks for and does not get, in the order of the file. */
  readonly warnings: readonly ConfigWarning[];
}

export interface LoadConfigOptions {
  /** Run besides the schema; what they find is told with its place as well. */
  readonly checks?: readonly ConfigCheck[];
}

/**
 * Reads and checks a config file, YAML or JSON, once nobody is writing it. Relative paths in it are taken
 * from the file's directory.
 *
 * @throws ConfigError with all problems at once: `config-unreadable` or `config-invalid`
 */
export async function loadConfig(
  path: string,
  options: LoadConfigOptions = {},
): Promise<LoadedConfig> {
  return parseConfig(path, await readSettledText(path), options);
}

/** Like {@link loadConfig}, of text that was read before. */
export function parseConfig(
  path: string,
  text: string,
  { checks = [] }: LoadConfigOptions = {},
): LoadedConfig {
  const source = parseConfigText(path, text);
  const form = isToolHiveConfig(source.data) ? translateToolHive(source) : ownForm(source);
  const issues = allIssues(form.data, checks);
  const found = issues.length === 0 ? [] : problemsOfIssues({ source, form }, issues);
  const problems = [...source.problems, ...form.problems, ...found];
  if (problems.length > 0) throw new ConfigError('config-invalid', inOrderOfFile(problems));
  // The schema has just accepted it.
  const input = withAbsolutePaths(form.data as ConfigInput, dirname(resolve(path)));
  return {
    config: configSchema.parse(input),
    input,
    digest: digestOf(input),
    path: resolve(path),
    warnings: inOrderOfFile(form.warnings),
  };
}

function inOrderOfFile<Told extends ConfigWarning>(told: readonly Told[]): Told[] {
  return told.toSorted((one, other) => one.line - other.line || one.column - other.column);
}

/**
 * Returns the same config, with every relative path in it taken from `directory`: those of registry files,
 * local repositories and files with credentials.
 */
export function withAbsolutePaths(input: ConfigInput, directory: string): ConfigInput {
  return {
    ...input,
    registries: input.registries.map((registry) => {
      const absolute = structuredClone(registry);
      for (const { keys, path } of sourcePaths(registry)) {
        setAt(absolute, keys, resolve(directory, path));
      }
      return absolute;
    }),
  };
}

function setAt(target: object, [key = '', ...rest]: readonly string[], value: string): void {
  if (rest.length === 0) Reflect.set(target, key, value);
  else setAt(Reflect.get(target, key), rest, value);
}

const ENTRY = 'registries[0]';

/**
 * What a config file would be told of such an entry under `registries:`, one problem a text:
 * `syncPolicy.intervall: unknown key; did you mean interval?` Empty where it holds.
 *
 * @param entry plain data, as JSON gives it
 */
export function registryProblems(entry: unknown, options: LoadConfigOptions = {}): string[] {
  try {
    parseConfig('config.json', JSON.stringify({ registries: [entry] }), options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => {
      const path = problem.path.replace(ENTRY, '').replace(/^\./, '');
      const suggestion = problem.suggestion && `; did you mean ${problem.suggestion}?`;
      return `${path === '' ? '' : `${path}: `}${problem.message}${suggestion ?? ''}`;
    });
  }
}
