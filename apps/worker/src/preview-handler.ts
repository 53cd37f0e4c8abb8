import {
  describeSource,
  type ErrorCode,
  type Preview,
  type PreviewJob,
  type RegistryConfig,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import type { PreviewHandler, RegistryReader } from '@syncline/redis';
import type { Logger, Metrics } from '@syncline/runtime';
import type { ConfigSource, PreviewRequest } from '@syncline/sync';

export interface PreviewHandlerOptions {
  readonly config: ConfigSource;
  readonly registries: RegistryReader;
  readonly preview: (request: PreviewRequest) => Promise<Preview>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'previewFinished'>;
}

/** Creates the function with which a worker handles preview jobs. */
export function createPreviewHandler({
  config,
  registries,
  preview: previewRegistry,
  logger,
  metrics,
}: PreviewHandlerOptions): PreviewHandler {
  return async (job, signal) => {
    try {
      const found = await findRegistry(job);
      const { samples: sampleLimit } = job;
      const preview = await previewRegistry({ ...found, sampleLimit, signal });
      metrics.previewFinished(preview.state);
      const { registry, state, diff, durationMs } = preview;
      const { added, updated, removed } = diff;
      const fields = { registry, state, added, updated, removed, durationMs };
      logger.info(fields, 'previewed');
      return preview;
    } catch (error) {
      metrics.previewFinished('failed');
      throw 'config' in job ? withoutContent(error, job.config, config) : error;
    }
  };

  /** Returns the registry to preview, and its stored state if the config in force has this registry. */
  async function findRegistry(
    job: PreviewJob,
  ): Promise<Pick<PreviewRequest, 'registry' | 'stored' | 'nowMs'>> {
    const name = 'config' in job ? job.config.name : job.registry;
    await config.refresh();
    const inForce = config.registry(name);
    const registry = 'config' in job ? job.config : inForce;
    if (registry === undefined) {
      throw new SynclineError(
        'unknown-registry',
        `the config has no registry ${name}. Check the spelling of the name`,
      );
    }
    const { nowMs, registries: known } = await registries.readMany([name]);
    return { registry, stored: inForce && known.get(name), nowMs };
  }
}

/** Errors whose messages quote the content of the file. */
const TELLING_CODES: ReadonlySet<ErrorCode> = new Set(['source-not-json', 'source-not-a-registry']);

/**
 * Returns the error without quotes from the file. A preview may name any file on this disk, and that file may be
 * secret. Files in the config in force are not affected, because their errors are in the status anyway.
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
  return new SynclineError(known.code, `${place} contains no registry`);
}
