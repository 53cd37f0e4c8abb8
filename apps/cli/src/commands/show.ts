import { PREVIEW_SAMPLE_LIMIT } from '@syncline/contract/limits';
import { type Command, InvalidArgumentError } from 'commander';
import type { DiffOptions } from '../actions/show-diff.ts';
import type { StatusOptions } from '../actions/show-status.ts';
import { addExamples } from '../examples.ts';
import { print, printJson } from '../output.ts';
import { withStore } from '../store.ts';
import { readDuration } from './sync.ts';

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show the state of all registries and catalogs, or the details of one')
    .argument('[registry]')
    .option('--json', 'print JSON as returned by GET /v1/registries')
    .option(
      '--watch',
      'update the table until you press Ctrl-C; without a terminal, print each change',
    )
    .action((registry: string | undefined, options: StatusOptions) =>
      withStore(program, async (store) => {
        const { showStatus } = await import('../actions/show-status.ts');
        await showStatus(store, registry, options);
      }),
    );
  addExamples(command, [
    'syncline status',
    'syncline status --watch',
    'syncline status official --json',
  ]);
}

interface RunsOptions {
  readonly json?: true;
  readonly limit: number;
}

const DEFAULT_LIMIT = 20;
const MOST_RUNS = 10_000;

export function addRuns(program: Command): void {
  const command = program
    .command('runs')
    .description('list the runs of a registry, newest first')
    .argument('<registry>')
    .option('--json', 'print JSON as returned by GET /v1/registries/{name}/runs')
    .option('--limit <count>', 'the number of runs to list', countUpTo(MOST_RUNS), DEFAULT_LIMIT)
    .action((registry: string, { json, limit }: RunsOptions) =>
      withStore(program, async (store) => {
        const { redisNowMs } = await import('@syncline/redis');
        const { name } = await store.registry(registry);
        const { runs } = await store.runs.list(name, { limit });
        if (json === true) return printJson(runs);
        if (runs.length === 0) return print(`${name} has no runs yet`);
        const { formatRuns } = await import('../format/runs.ts');
        print(formatRuns(runs, { nowMs: await redisNowMs(store.redis) }));
      }),
    );
  addExamples(command, [
    'syncline runs official --limit 5',
    'syncline runs official --json | jq ".[0].error"',
  ]);
}

const DEFAULT_TIMEOUT_MS = 5 * 60_000;

export function addDiff(program: Command): void {
  const command = program
    .command('diff')
    .description('preview a sync without changing anything')
    .argument('<registry>')
    .option(
      '--file <config>',
      'use the registry settings of this config file instead of the config in force',
    )
    .option('--json', 'print JSON as returned by POST /v1/registries/{name}/preview')
    .option('--exit-code', 'exit with 3 if a sync would change rows')
    .option(
      '--samples <count>',
      'the number of rows of each kind to list',
      countUpTo(PREVIEW_SAMPLE_LIMIT),
      PREVIEW_SAMPLE_LIMIT,
    )
    .option(
      '--timeout <duration>',
      'the maximum time to wait, such as 30s or 5m (default: 5m)',
      readDuration,
    )
    .action((registry: string, given: Omit<DiffOptions, 'timeout'> & Partial<DiffOptions>) => {
      const options = { timeout: DEFAULT_TIMEOUT_MS, ...given };
      return withStore(program, async (store) => {
        const { showDiff } = await import('../actions/show-diff.ts');
        await showDiff(store, registry, options);
      });
    });
  addExamples(command, [
    'syncline diff official',
    'syncline diff official --file ./new.yaml --exit-code',
  ]);
}

function countUpTo(most: number) {
  return (text: string): number => {
    const count = Number(text);
    if (Number.isInteger(count) && count >= 1 && count <= most) return count;
    throw new InvalidArgumentError(`Use a whole number from 1 to ${most}.`);
  };
}
