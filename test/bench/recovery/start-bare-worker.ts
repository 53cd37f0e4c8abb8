import type { Lifetime } from '../../support/lifetime.ts';
import { type ProcessHandle, startProcess } from '../../support/processes.ts';

export interface BareWorkerOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly concurrency: number;
  /** The upstream that each job requests, at `/<registry>`; without it, a job does nothing. */
  readonly upstream?: string;
  readonly lifetime: Lifetime;
}

/** Starts a BullMQ worker without any settings, and waits until it takes jobs. */
export async function startBareWorker(options: BareWorkerOptions): Promise<ProcessHandle> {
  const { redisUrl, prefix, concurrency, upstream, lifetime } = options;
  const worker = await startProcess({
    name: 'bare worker',
    entry: 'test/bench/recovery/bare-worker.ts',
    env: {
      REDIS_URL: redisUrl,
      BARE_CONCURRENCY: String(concurrency),
      SYNCLINE_PREFIX: prefix,
      ...(upstream !== undefined && { BARE_UPSTREAM: upstream }),
    },
    lifetime,
  });
  await worker.waitForLog(({ msg }) => msg === 'started');
  return worker;
}
