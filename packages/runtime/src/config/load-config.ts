import { dirname, resolve } from 'node:path';
import { type Config, type ConfigInput, configSchema } from '@syncline/contract';
import { digestOf } from './canonical-json.ts';
import { allIssues, type Issue } from './issues.ts';
import { ConfigError } from './problem.ts';
import { problemsOfIssues } from './problems-of-issues.ts';
import { type ConfigDocument, parseConfigText, readConfigText } from './read-document.ts';

/** A config file that holds, in every form that is needed of it. */
export interface LoadedConfig {
  /** Parsed: durations in milliseconds, all defaults filled in. */
  readonly config: Config;
  /** As it was written, relative paths made absolute. */
  readonly input: ConfigInput;
  /** SHA-256, in hex, of the canonical JSON of `input`. */
  readonly digest: string;
  /** The file, absolute. */
  readonly path: string;
}

/**
 * Reads and checks a config file, YAML or JSON. Relative paths in it are taken from the file's directory.
 *
 * @throws ConfigError with all problems at once: `config-unreadable` or `config-invalid`
 */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  return parseConfig(path, await readConfigText(path));
}

/** Like {@link loadConfig}, of text that was read before. */
export function parseConfig(path: string, text: string): LoadedConfig {
  const source = parseConfigText(path, text);
  const issues = allIssues(source.data);
  if (issues.length > 0 || source.problems.length > 0) throw invalid(source, issues);
  // The schema has just accepted it.
  const input = withAbsolutePaths(source.data as ConfigInput, dirname(resolve(path)));
  return {
    config: configSchema.parse(input),
    input,
    digest: digestOf(input),
    path: resolve(path),
  };
}

function invalid(source: ConfigDocument, issues: readonly Issue[]): ConfigError {
  const problems = [...source.problems, ...problemsOfIssues(source, issues)].sort(
    (one, other) => one.line - other.line || one.column - other.column,
  );
  return new ConfigError('config-invalid', problems);
}

function withAbsolutePaths(input: ConfigInput, directory: string): ConfigInput {
  return {
    ...input,
    registries: input.registries.map((registry) =>
      registry.file?.path === undefined
        ? registry
        : { ...registry, file: { ...registry.file, path: resolve(directory, registry.file.path) } },
    ),
  };
}
