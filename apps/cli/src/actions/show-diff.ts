import { type Preview, SynclineError } from '@syncline/contract';
import { createPreviewRequester, type PreviewTarget } from '@syncline/redis';
import { loadConfig } from '@syncline/runtime/config';
import { EndedWith, EXIT_STATUS } from '../errors.ts';
import { formatPreview } from '../format/preview.ts';
import { print, printJson } from '../output.ts';
import type { Store } from '../store.ts';

export interface DiffOptions {
  readonly file?: string;
  readonly json?: true;
  readonly exitCode?: true;
  readonly samples: number;
  readonly timeout: number;
}

/** @throws EndedWith if a sync would change something, and the exit status is to say so */
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
  const wish = file === undefined ? await inForce(store, name) : await fromFile(file, name);
  const requester = createPreviewRequester({ redis, keys, onError: () => {} });
  try {
    return await requester.request({ ...wish, samples }, { timeoutMs: timeout });
  } finally {
    await requester.close();
  }
}

async function inForce(store: Store, name: string): Promise<PreviewTarget> {
  const registry = await store.registry(name);
  return { registry: registry.name };
}

/** An entry of a config file, its relative paths made absolute by the loader. */
async function fromFile(file: string, name: string): Promise<PreviewTarget> {
  const { CONFIG_CHECKS: checks } = await import('@syncline/scheduler');
  const { input } = await loadConfig(file, { checks });
  const config = input.registries.find((registry) => registry.name === name);
  if (config !== undefined) return { config };
  throw new SynclineError('unknown-registry', `${file} names no registry ${name}`, {
    expected: input.registries.map((registry) => registry.name).join(', '),
  });
}
