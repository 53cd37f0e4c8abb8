import {
  describeSource,
  type ErrorCode,
  type PreviewJob,
  type RegistryConfig,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import type { PreviewHandler, RegistryReader } from '@syncline/redis';
import type { Metrics } from '@syncline/runtime';
import {
  type ConfigSource,
  type PreviewDependencies,
  type PreviewRequest,
  previewRegistry,
} from '@syncline/sync';

export interface PreviewHandlerOptions {
  readonly config: ConfigSource;
  readonly registries: RegistryReader;
  readonly previews: PreviewDependencies;
  readonly metrics: Pick<Metrics, 'previewFinished'>;
}

/** Previews, as a worker answers them. */
export function createPreviewHandler({
  config,
  registries,
  previews,
  metrics,
}: PreviewHandlerOptions): PreviewHandler {
  return async (job, signal) => {
    try {
      const found = await findRegistry(job);
      const { samples: sampleLimit } = job;
      const preview = await previewRegistry(previews, { ...found, sampleLimit, signal });
      metrics.previewFinished(preview.state);
      const { registry, state, diff, durationMs } = preview;
      const { added, updated, removed } = diff;
      const fields = { registry, state, added, updated, removed, durationMs };
      previews.logger.info(fields, 'previewed');
      return preview;
    } catch (error) {
      metrics.previewFinished('failed');
      throw 'config' in job ? withoutContent(error, job.config, config) : error;
    }
  };

  /** The registry that is meant, and what is stored under its name, if it is one of the config. */
  async function findRegistry(
    job: PreviewJob,
  ): Promise<Pick<PreviewRequest, 'registry' | 'stored' | 'nowMs'>> {
    const name = 'config' in job ? job.config.name : job.registry;
    await config.refresh();
    const inForce = config.registry(name);
    const registry = 'config' in job ? job.config : inForce;
    if (registry === undefined) {
      throw new SynclineError('unknown-registry', `there is no registry ${name}`);
    }
    const { nowMs, registries: known } = await registries.readMany([name]);
    return { registry, stored: inForce && known.get(name), nowMs };
  }
}

/** Their messages have words of what was read. */
const TELLING_CODES: ReadonlySet<ErrorCode> = new Set(['source-not-json', 'source-not-a-registry']);

/**
 * Whoever asks for a preview may name any file on this disk, and what is no registry may be a secret. Of
 * a place that the config in force names the status tells anyway.
 */
function withoutContent(
  error: unknown,
  registry: RegistryConfig,
  config: ConfigSource,
): SynclineError {
  const known = toSynclineError(error);
  const place = describeSource(registry);
  const inForce = config.registry(registry.name);
  const isOnDisk = registry.file?.path !== undefined || registry.git !== undefined;
  const isKnown = inForce !== undefined && describeSource(inForce) === place;
  if (!isOnDisk || isKnown || !TELLING_CODES.has(known.code)) return known;
  return new SynclineError(known.code, `${place} holds no registry`);
}
