import { relative } from 'node:path';
import { formatProblem, loadConfig, readEnv } from '@syncline/runtime';
import type { Command } from 'commander';
import { envOptions } from '../environment.ts';
import { counted } from '../format/text.ts';
import { print } from '../output.ts';

export function addValidate(program: Command): void {
  program
    .command('validate')
    .description('check a config file, and start nothing')
    .argument('[config]', 'the file; else the one that --config and SYNCLINE_CONFIG name')
    .addHelpText('after', '\nExample:\n  $ syncline validate examples/quickstart.yaml')
    .action(async (path: string | undefined) => {
      const { CONFIG_CHECKS: checks } = await import('@syncline/scheduler');
      const { config, ...loaded } = await loadConfig(path ?? configPath(program), { checks });
      for (const warning of loaded.warnings) print(`warning: ${formatProblem(warning)}`);
      const contents = [
        counted(config.registries.length, 'registry', 'registries'),
        ...(config.catalogs.length === 0 ? [] : [counted(config.catalogs.length, 'catalog')]),
      ];
      print(`${relative('', loaded.path)}: valid: ${contents.join(', ')}`);
    });
}

function configPath(program: Command): string {
  return readEnv(undefined, envOptions(program)).configPath;
}
