import {
  describeSource,
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
      throw 'config' in job ? withoutContent(error, job.config) : error;
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

/**
 * Whoever asks for a preview may name any file on this disk. What is no registry may be a secret, and the
 * error of a text that is no JSON has its first words.
 */
function withoutContent(error: unknown, registry: RegistryConfig): SynclineError {
  const known = toSynclineError(error);
  const isOnDisk = registry.file?.path !== undefined || registry.git !== undefined;
  if (known.code !== 'source-not-json' || !isOnDisk) return known;
  return new SynclineError('source-not-json', `${describeSource(registry)} is no JSON`);
}
