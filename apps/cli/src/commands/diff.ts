import { PREVIEW_SAMPLE_LIMIT } from '@syncline/contract/limits';
import { type Command, InvalidArgumentError } from 'commander';
import type { DiffOptions } from '../actions/show-diff.ts';
import { addExamples } from '../examples.ts';
import { withStore } from '../store.ts';
import { readDuration } from './sync.ts';

const DEFAULT_TIMEOUT_MS = 5 * 60_000;

export function addDiff(program: Command): void {
  const command = program
    .command('diff')
    .description('preview a sync; change nothing')
    .argument('<registry>')
    .option('--file <config>', 'use the entry of this config file instead of the config in force')
    .option('--json', 'print what POST /v1/registries/{name}/preview answers')
    .option('--exit-code', 'exit with 3 if a sync would change something')
    .option(
      '--samples <count>',
      'how many rows of each kind to list',
      readCount,
      PREVIEW_SAMPLE_LIMIT,
    )
    .option('--timeout <duration>', 'how long to wait', readDuration, DEFAULT_TIMEOUT_MS)
    .action((registry: string, options: DiffOptions) =>
      withStore(program, async (store) => {
        const { showDiff } = await import('../actions/show-diff.ts');
        await showDiff(store, registry, options);
      }),
    );
  addExamples(command, [
    'syncline diff official',
    'syncline diff official --file ./new.yaml --exit-code',
  ]);
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= PREVIEW_SAMPLE_LIMIT) return count;
  throw new InvalidArgumentError(`expected a whole number from 1 to ${PREVIEW_SAMPLE_LIMIT}.`);
}
