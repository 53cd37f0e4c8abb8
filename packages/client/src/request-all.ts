import { batchesOf, SynclineError } from '@syncline/contract';
import type { SynclineClient } from './client.ts';

/** A request that was made. */
export interface Requested {
  readonly registry: string;
  readonly request: number;
  readonly state: 'queued' | 'joined';
}

/** As `POST /v1/sync` answers. */
export interface AllRequested {
  readonly requests: readonly Requested[];
  /** The registries that an operator or the config has stopped: no run was requested of them. */
  readonly suspended: readonly string[];
}

const REQUESTS_AT_ONCE = 100;

/** Requests a run of each registry that is not stopped. */
export async function requestAll(
  { requestSync }: Pick<SynclineClient, 'requestSync'>,
  registries: readonly string[],
  options: { readonly force: boolean },
): Promise<AllRequested> {
  const requests: Requested[] = [];
  const suspended: string[] = [];
  const request = async (registry: string) => {
    try {
      requests.push({ registry, ...(await requestSync(registry, options)) });
    } catch (error) {
      const isSuspended = error instanceof SynclineError && error.code === 'registry-suspended';
      if (!isSuspended) throw error;
      suspended.push(registry);
    }
  };
  for (const batch of batchesOf(registries, REQUESTS_AT_ONCE))
    await Promise.all(batch.map(request));
  return { requests, suspended };
}
