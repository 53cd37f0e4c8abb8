import { mapInBatches, SynclineError } from '@syncline/contract';
import type { SynclineClient } from './client.ts';

/** A counted request. */
export type Requested = { readonly registry: string } & Awaited<
  ReturnType<SynclineClient['requestSync']>
>;

/** The answer of `POST /v1/sync`. */
export interface AllRequested {
  readonly requests: readonly Requested[];
  /** The registries that an operator or the config has suspended. They get no request. */
  readonly suspended: readonly string[];
}

const REQUESTS_AT_ONCE = 100;

/** Requests a run of each registry, except for suspended or pinned registries. */
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
      if (!(error instanceof SynclineError) || error.code !== 'registry-suspended') throw error;
      suspended.push(registry);
    }
  };
  await mapInBatches(registries, REQUESTS_AT_ONCE, request);
  return { requests, suspended };
}
