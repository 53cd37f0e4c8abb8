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

/** A valid config file. */
export interface LoadedConfig {
  /** The parsed config: durations are in milliseconds, and all defaults are set. */
  readonly config: Config;
  /** The config as in the file, but with absolute paths. A ToolHive config is translated to Syncline's own form. */
  readonly input: ConfigInput;
  /** SHA-256, in hex, of the canonical JSON of `input`. */
  readonly digest: string;
  /** The absolute path of the file. */
  readonly path: string;
  /** Settings of the file that have no effect, in the order of the file. */
  readonly warnings: readonly ConfigWarning[];
}

export interface LoadConfigOptions {
  /** Checks to run after the schema. Their issues are also reported with a place. */
  readonly checks?: readonly ConfigCheck[];
}

/**
 * Reads and checks a config file in YAML or JSON. Waits until no process is writing the file. Relative paths in the
 * file refer to the directory of the file.
 *
 * @throws ConfigError with all problems at once: `config-unreadable` or `config-invalid`
 */
export async function loadConfig(
  path: string,
  options: LoadConfigOptions = {},
): Promise<LoadedConfig> {
  return parseConfig(path, await readSettledText(path), options);
}

/** Parses and checks the text of a config file as {@link loadConfig} does. */
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
  // The schema has accepted the config.
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
 * Returns the config with absolute paths. Makes the relative paths of registry files, local repositories and credential
 * files, including those of the tokens under `access`, absolute, starting from `directory`.
 */
export function withAbsolutePaths(input: ConfigInput, directory: string): ConfigInput {
  const { access } = input;
  const tokens = access?.tokens?.map((token) => ({
    ...token,
    tokenFile: resolve(directory, token.tokenFile),
  }));
  return {
    ...input,
    ...(tokens === undefined ? {} : { access: { ...access, tokens } }),
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
 * Returns the problems of an entry under `registries:`; an empty list if the entry is valid. Each problem is one text,
 * such as `syncPolicy.intervall: unknown key; did you mean interval?`
 *
 * @param entry the entry as parsed JSON
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
