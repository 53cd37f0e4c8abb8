import { relative } from 'node:path';
import { formatProblem, type LoadedConfig, loadConfig, readEnv } from '@syncline/runtime';
import type { Command } from 'commander';
import { envOptions } from '../environment.ts';
import { addExamples } from '../examples.ts';
import { counted, plain } from '../format/text.ts';
import { print, printJson } from '../output.ts';

export function addValidate(program: Command): void {
  const command = program
    .command('validate')
    .description('check a config file, and start nothing')
    .argument('[config]', 'the file; else the one that --config and SYNCLINE_CONFIG name')
    .option('--json', 'a summary, warnings among it; problems are a list, on standard error')
    .action(async (path: string | undefined, { json }: { readonly json?: true }) => {
      const { CONFIG_CHECKS: checks } = await import('@syncline/scheduler');
      const loaded = await loadConfig(path ?? configPath(program), { checks });
      if (json === true) return printJson(summaryOf(loaded));
      for (const warning of loaded.warnings) print(`warning: ${plain(formatProblem(warning))}`);
      print(formatSummary(loaded));
    });
  addExamples(command, [
    'syncline validate examples/quickstart.yaml',
    'syncline validate --json syncline.yaml',
  ]);
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
