import { PREVIEW_SAMPLE_LIMIT, type Preview, SynclineError } from '@syncline/contract';
import { createPreviewRequester, type PreviewWish } from '@syncline/redis';
import { loadConfig } from '@syncline/runtime';
import { type Command, InvalidArgumentError } from 'commander';
import { EndedWith, EXIT_STATUS } from '../errors.ts';
import { addExamples } from '../examples.ts';
import { formatPreview } from '../format/preview.ts';
import { print, printJson } from '../output.ts';
import { type Store, withStore } from '../store.ts';
import { readDuration } from './sync.ts';

interface DiffOptions {
  readonly file?: string;
  readonly json?: true;
  readonly exitCode?: true;
  readonly samples: number;
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_MS = 5 * 60_000;

export function addDiff(program: Command): void {
  const command = program
    .command('diff')
    .description('show what a sync would change, and change nothing')
    .argument('<registry>')
    .option('--file <config>', 'as this config file has it, which need not be in force')
    .option('--json', 'what POST /v1/registries/{name}/preview answers')
    .option('--exit-code', 'end with 3 where a sync would change something')
    .option('--samples <count>', 'name so many rows of each kind', readCount, PREVIEW_SAMPLE_LIMIT)
    .option('--timeout <duration>', 'how long to wait', readDuration, DEFAULT_TIMEOUT_MS)
    .action((registry: string, options: DiffOptions) =>
      withStore(program, async (store) => {
        const preview = await requestPreview(store, registry, options);
        if (options.json === true) printJson(preview);
        else print(formatPreview(preview));
        if (options.exitCode === true && preview.state !== 'unchanged') {
          throw new EndedWith(EXIT_STATUS.differs);
        }
      }),
    );
  addExamples(command, [
    'syncline diff official',
    'syncline diff official --file ./new.yaml --exit-code',
  ]);
}

async function requestPreview(
  store: Store,
  name: string,
  { file, samples, timeout }: DiffOptions,
): Promise<Preview> {
  const { redis, keys } = store;
  const wish = file === undefined ? await inForce(store, name) : await fromFile(file, name);
  const requester = createPreviewRequester({ redis, keys, onError: () => {} });
  try {
    return await requester.request({ ...wish, samples }, { timeoutMs: timeout });
  } finally {
    await requester.close();
  }
}

async function inForce(store: Store, name: string): Promise<PreviewWish> {
  const registry = await store.registry(name);
  return { registry: registry.name };
}

/** An entry of a config file, its relative paths made absolute by the loader. */
async function fromFile(file: string, name: string): Promise<PreviewWish> {
  const { CONFIG_CHECKS: checks } = await import('@syncline/scheduler');
  const { input } = await loadConfig(file, { checks });
  const config = input.registries.find((registry) => registry.name === name);
  if (config !== undefined) return { config };
  throw new SynclineError('unknown-registry', `${file} names no registry ${name}`, {
    expected: input.registries.map((registry) => registry.name).join(', '),
  });
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= PREVIEW_SAMPLE_LIMIT) return count;
  throw new InvalidArgumentError(`expected a whole number from 1 to ${PREVIEW_SAMPLE_LIMIT}.`);
}
