import { relative } from 'node:path';
import { readEnv } from '@syncline/runtime';
import { formatProblem, type LoadedConfig, loadConfig } from '@syncline/runtime/config';
import { CONFIG_CHECKS } from '@syncline/scheduler';
import type { Command } from 'commander';
import { envOptions } from '../environment.ts';
import { counted, plain } from '../format/text.ts';
import { print, printJson } from '../output.ts';

export interface ValidateOptions {
  readonly json?: true;
}

/** @throws ConfigError with every problem of the file */
export async function validateConfig(
  program: Command,
  path: string | undefined,
  { json }: ValidateOptions,
): Promise<void> {
  const loaded = await loadConfig(path ?? configPath(program), { checks: CONFIG_CHECKS });
  if (json === true) return printJson(summaryOf(loaded));
  for (const warning of loaded.warnings) print(`warning: ${plain(formatProblem(warning))}`);
  print(formatSummary(loaded));
}

function configPath(program: Command): string {
  return readEnv(undefined, envOptions(program)).configPath;
}

function summaryOf({ config, path, digest, warnings }: LoadedConfig): object {
  return {
    file: path,
    digest,
    registries: config.registries.length,
    catalogs: config.catalogs.length,
    warnings,
  };
}

function formatSummary({ config, path }: LoadedConfig): string {
  const contents = [
    counted(config.registries.length, 'registry', 'registries'),
    ...(config.catalogs.length === 0 ? [] : [counted(config.catalogs.length, 'catalog')]),
  ];
  return `${relative('', path)}: valid: ${contents.join(', ')}`;
}
