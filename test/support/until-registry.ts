import type { ApiClient, Registry } from './api-client.ts';
import { until } from './until.ts';

export interface UntilRegistryOptions {
  readonly what?: string;
  /** The timeout of {@link until}. */
  readonly timeoutMs?: number;
}

/** Waits until `isSo` accepts a registry, and returns the registry. */
export function untilRegistry(
  client: ApiClient,
  name: string,
  isSo: (registry: Registry) => boolean,
  { what = `${name} to be so that ${isSo}`, ...limit }: UntilRegistryOptions = {},
): Promise<Registry> {
  return until(
    async (see) => {
      const registry = await client.registry(name);
      see(registry);
      return isSo(registry) && registry;
    },
    { what, ...limit },
  );
}

/** Waits until a registry has been synced. */
export function untilComplete(
  client: ApiClient,
  name: string,
  options: UntilRegistryOptions = {},
): Promise<Registry> {
  const isComplete = ({ status }: Registry) => status.phase === 'Complete';
  return untilRegistry(client, name, isComplete, { what: `${name} to be synced`, ...options });
}

type RunOfApi = Awaited<ReturnType<ApiClient['runs']>>[number];

/** Waits for a run that `isWanted` accepts, and returns the newest one. */
export function untilRun(
  client: ApiClient,
  name: string,
  isWanted: (run: RunOfApi) => boolean,
  { what = `a run of ${name} that ${isWanted}`, ...limit }: UntilRegistryOptions = {},
): Promise<RunOfApi> {
  return until(
    async (see) => {
      const runs = await client.runs(name);
      see(runs.slice(0, 3));
      return runs.find(isWanted);
    },
    { what, ...limit },
  );
}
