import { redisNowMs } from '@syncline/redis';
import { type Command, InvalidArgumentError } from 'commander';
import { addExamples } from '../examples.ts';
import { formatRuns } from '../format/run-table.ts';
import { print, printJson } from '../output.ts';
import { withStore } from '../store.ts';

interface RunsOptions {
  readonly json?: true;
  readonly limit: number;
}

const DEFAULT_LIMIT = 20;

export function addRuns(program: Command): void {
  const command = program
    .command('runs')
    .description('list the runs of a registry, newest first')
    .argument('<registry>')
    .option('--json', 'a list of runs, as GET /v1/registries/{name}/runs has them')
    .option('--limit <count>', 'how many', readCount, DEFAULT_LIMIT)
    .action((registry: string, { json, limit }: RunsOptions) =>
      withStore(program, async (store) => {
        const { name } = await store.registry(registry);
        const { runs } = await store.runs.list(name, { limit });
        if (json === true) return printJson(runs);
        if (runs.length === 0) return print(`${name} has not been run yet`);
        print(formatRuns(runs, { nowMs: await redisNowMs(store.redis) }));
      }),
    );
  addExamples(command, [
    'syncline runs official --limit 5',
    'syncline runs official --json | jq ".[0].error"',
  ]);
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 10_000) return count;
  throw new InvalidArgumentError('expected a whole number from 1 to 10000.');
}
