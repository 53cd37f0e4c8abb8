import { relative } from 'node:path';
import { readEnv } from '@syncline/runtime';
import { formatProblem, loadConfig } from '@syncline/runtime/config';
import { CONFIG_CHECKS } from '@syncline/scheduler';
import type { Command } from 'commander';
import { envOptions } from '../environment.ts';
import { countedTargets, plain } from '../format/text.ts';
import { print, printJson } from '../output.ts';

export interface ValidateOptions {
  readonly json?: true;
}

/**
 * Validates a config file and shows the result. @throws ConfigError with every problem of the file
 */
export async function validateConfig(
  program: Command,
  path: string | undefined,
  { json }: ValidateOptions,
): Promise<void> {
  const { config, digest, warnings, ...loaded } = await loadConfig(
    path ?? readEnv(undefined, envOptions(program)).configPath,
    { checks: CONFIG_CHECKS },
  );
  const registries = config.registries.length;
  const catalogs = config.catalogs.length;
  if (json === true) {
    return printJson({ file: loaded.path, digest, registries, catalogs, warnings });
  }
  for (const warning of warnings) print(`warning: ${plain(formatProblem(warning))}`);
  print(`${relative('', loaded.path)}: valid: ${countedTargets(registries, catalogs)}`);
}
