import { type Preview, SynclineError } from '@syncline/contract';
import { createPreviewRequester } from '@syncline/redis';
import { loadConfig } from '@syncline/runtime/config';
import { EndedWith, EXIT_STATUS } from '../errors.ts';
import { formatPreview } from '../format/preview.ts';
import type { Store } from '../open-store.ts';
import { print, printJson } from '../output.ts';

export interface DiffOptions {
  readonly file?: string;
  readonly json?: true;
  readonly exitCode?: true;
  readonly samples: number;
  readonly timeout: number;
}

/**
 * Shows what a sync would change. @throws EndedWith if a sync would change something and
 * `--exit-code` is given
 */
export async function showDiff(
  store: Store,
  registry: string,
  options: DiffOptions,
): Promise<void> {
  const preview = await requestPreview(store, registry, options);
  if (options.json === true) printJson(preview);
  else print(formatPreview(preview));
  if (options.exitCode === true && preview.state !== 'unchanged') {
    throw new EndedWith(EXIT_STATUS.differs);
  }
}

async function requestPreview(
  store: Store,
  name: string,
  { file, samples, timeout }: DiffOptions,
): Promise<Preview> {
  const { redis, keys } = store;
  const target =
    file === undefined
      ? { registry: (await store.registry(name)).name }
      : await entryOf(file, name);
  const requester = createPreviewRequester({ redis, keys, onError: () => {} });
  try {
    return await requester.request({ ...target, samples }, { timeoutMs: timeout });
  } finally {
    await requester.close();
  }
}

/**
 * Returns the registry's entry in a config file. The loader has made its relative paths absolute.
 */
async function entryOf(file: string, name: string) {
  const { CONFIG_CHECKS: checks } = await import('@syncline/scheduler');
  const { input } = await loadConfig(file, { checks });
  const config = input.registries.find((registry) => registry.name === name);
  if (config !== undefined) return { config };
  throw new SynclineError('unknown-registry', `${file} has no registry ${name}`, {
    expected: `one of ${input.registries.map((registry) => registry.name).join(', ')}`,
  });
}
