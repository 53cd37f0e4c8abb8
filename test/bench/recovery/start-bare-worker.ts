import { type Lifetime, type ProcessHandle, startProcess } from '../../support/index.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface BareWorkerOptions {
  /** As BullMQ takes it: it then connects, and connects again, in its own way. */
  readonly connection: Address | { readonly name: string; readonly sentinels: readonly Address[] };
  readonly prefix: string;
  readonly concurrency: number;
  /** What each job asks, at `/<registry>`; without it, a job does nothing. */
  readonly upstream?: string;
  readonly lifetime: Lifetime;
}

/** Starts a worker of BullMQ, as it is without any settings, and waits until it takes jobs. */
export async function startBareWorker(options: BareWorkerOptions): Promise<ProcessHandle> {
  const { connection, prefix, concurrency, upstream, lifetime } = options;
  const worker = await startProcess({
    name: 'bare worker',
    entry: 'test/bench/recovery/bare-worker.ts',
    env: {
      BARE_CONNECTION: JSON.stringify(connection),
      BARE_CONCURRENCY: String(concurrency),
      SYNCLINE_PREFIX: prefix,
      ...(upstream !== undefined && { BARE_UPSTREAM: upstream }),
    },
    lifetime,
  });
  await worker.waitForLog(({ msg }) => msg === 'started');
  return worker;
}
