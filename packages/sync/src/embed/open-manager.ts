import type { Config } from '@syncline/contract';
import {
  createInMemoryPlaceStore,
  createRequestBudgets,
  type MemoryBudget,
  openSources,
} from '@syncline/sources';
import { IngestPool } from '../ingest/ingest-pool.ts';
import { createManager, type Manager, type ManagerDependencies } from '../perform/manager.ts';
import type { ConfigSource } from '../ports/config-source.ts';
import type { CreateCoordinatorOptions } from './create-coordinator.ts';

const DEFAULT_HEAVY_RUNS = 2;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** A manager, or a function that creates a manager from the parts of the default one. */
export type CreateManager = Manager | ((parts: ManagerDependencies) => Manager);

export interface ManagerOptions
  extends Pick<ManagerDependencies, 'snapshots'>,
    Pick<CreateCoordinatorOptions, 'dataDir' | 'manager' | 'heavyRuns' | 'proxies'> {
  readonly config: ConfigSource;
  readonly memory: MemoryBudget;
}

/** Creates the manager and its resources in this process. `close` ends the resources. */
export function openManager({
  config,
  dataDir,
  snapshots,
  memory,
  proxies = {},
  heavyRuns = DEFAULT_HEAVY_RUNS,
  manager: create = createManager,
}: ManagerOptions): { readonly manager: Manager; readonly close: () => Promise<unknown> } {
  if (typeof create !== 'function') return { manager: create, close: async () => {} };
  const budgets = createRequestBudgets({
    store: createInMemoryPlaceStore(),
    budgets: () => config.current()?.network.budgets ?? [],
  });
  const sources = openSources({
    network: () => ({
      userAgent: config.current()?.network.userAgent,
      allow: allowedHosts(config.current()),
    }),
    proxies,
    budgets,
    dataDir,
  });
  const ingest = new IngestPool({ heavyRuns, memory });
  return {
    manager: create({ createSource: sources.createSource, ingest, snapshots }),
    close: () => Promise.all([ingest.close(), sources.close()]),
  };
}

/** Allows the loopback addresses in the config's own URLs, because the config is part of the program. */
function allowedHosts(config: Config | undefined): readonly string[] {
  if (config === undefined) return [];
  const urls = config.registries.flatMap(({ api, file }) => api?.endpoint ?? file?.url ?? []);
  const hosts = urls.map((url) => new URL(url).hostname).filter((host) => LOOPBACK.test(host));
  return [...config.network.allow, ...hosts.map((host) => host.replace(/^\[(.*)\]$/, '$1'))];
}
