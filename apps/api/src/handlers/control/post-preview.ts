import { PREVIEW_SAMPLE_LIMIT, previewSampleLimitSchema, SynclineError } from '@syncline/contract';
import type { PreviewWish } from '@syncline/redis';
import { z } from 'zod';
import type { ApiDependencies } from '../../dependencies.ts';
import { parseBody } from '../../http/body.ts';
import { type Answer, type ApiRequest, ok } from '../../http/route.ts';
import { findRegistry } from '../../registries.ts';

const DEFAULT_WAIT_SECONDS = 60;
const MAX_WAIT_SECONDS = 600;

const bodySchema = z.strictObject({
  config: z.looseObject({}).optional(),
  wait: z
    .number()
    .positive()
    .max(MAX_WAIT_SECONDS, { error: `expected at most ${MAX_WAIT_SECONDS} seconds` })
    .default(DEFAULT_WAIT_SECONDS),
  samples: previewSampleLimitSchema.default(PREVIEW_SAMPLE_LIMIT),
});

/**
 * `POST /v1/registries/{name}/preview`: what a sync would do, without doing it; with `config`, an entry as
 * it would stand under `registries:`, of a registry with these settings.
 */
export async function postPreview(
  dependencies: ApiDependencies,
  { params, body, signal }: ApiRequest<'name'>,
): Promise<Answer> {
  const { config, wait, samples } = parseBody(bodySchema, body);
  const wish = await wishFor(dependencies, params.name, config);
  try {
    const options = { timeoutMs: wait * 1_000, signal };
    return ok(await dependencies.previewer.request({ ...wish, samples }, options));
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SynclineError('preview-failed', 'the api was told to stop', {
      expected: 'another one; try again',
    });
  }
}

async function wishFor(
  dependencies: ApiDependencies,
  name: string,
  config: Readonly<Record<string, unknown>> | undefined,
): Promise<PreviewWish> {
  if (config === undefined) {
    const registry = await findRegistry(dependencies, name);
    if (registry.catalog === undefined) return { registry: registry.name };
    throw new SynclineError('unknown-registry', `${name} is a catalog`, {
      expected: `one of its registries, ${registry.catalog.registries.join(', ')}`,
    });
  }
  // Imported when it is needed: it loads all that reads config files.
  const { readRegistryInput, refuseNewCredentials } = await import('../../preview-config.ts');
  const { input, registry } = readRegistryInput(name, config);
  await dependencies.config.refresh();
  refuseNewCredentials(registry, dependencies.config.registry(name));
  return { config: input };
}
