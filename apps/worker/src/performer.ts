import { type NetworkConfig, type Preview, systemClock } from '@syncline/contract';
import type { Env, Logger } from '@syncline/runtime';
import { FILE_CALL_THREADS, searchPath } from '@syncline/runtime';
import type { SnapshotStore } from '@syncline/snapshot';
import { type MemoryBudget, openSources, type RequestBudgets } from '@syncline/sources';
import type { Manager, PreviewRequest } from '@syncline/sync';
import { createManager, IngestPool, previewRegistry } from '@syncline/sync/perform';

export interface PerformerOptions {
  readonly env: Env;
  readonly logger: Logger;
  /** Returns `network` of the config in force. */
  readonly network: () => NetworkConfig | undefined;
  readonly budgets: RequestBudgets;
  readonly snapshots: SnapshotStore;
  /** The memory of all runs. */
  readonly memory: MemoryBudget;
  /** The heap size of each thread for heavy work. Default: the default of {@link IngestPool}. */
  readonly threadHeapMb?: number | undefined;
}

/** The part of a worker that reads upstreams and builds snapshots. */
export interface Performer {
  readonly manager: Manager;
  preview(request: PreviewRequest): Promise<Preview>;
  /** The runs that wait for a slot of heavy work. */
  waits(): { readonly count: number; readonly longestMs: number };
  close(): Promise<void>;
}

export function openPerformer(options: PerformerOptions): Performer {
  const { env, logger, network, budgets, snapshots, memory, threadHeapMb } = options;
  const sources = openSources({
    network,
    proxies: { http: env.httpProxy, https: env.httpsProxy, except: env.noProxy },
    budgets,
    dataDir: env.dataDir,
    searchPath: searchPath(),
    fileThreads: FILE_CALL_THREADS,
    credentialDirs: env.credentialDirs,
  });
  const ingest = new IngestPool({ heavyRuns: env.heavyRuns, memory, threadHeapMb });
  const dependencies = { createSource: sources.createSource, ingest, snapshots };
  return {
    manager: createManager(dependencies),
    preview: (request) => previewRegistry({ ...dependencies, clock: systemClock, logger }, request),
    waits: () => ({
      count: ingest.capacity.waiting,
      longestMs: ingest.capacity.longestWaitMs,
    }),
    close: async () => {
      await Promise.all([ingest.close(), sources.close()]);
    },
  };
}
