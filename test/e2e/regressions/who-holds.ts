import type { ProcessHandle } from '../../support/processes.ts';
import type { System } from '../../support/system.ts';

/** Returns the worker that runs a registry at this moment, by its status. */
export async function workerThatRuns(
  { client, workers }: Pick<System, 'client' | 'workers'>,
  registry: string,
): Promise<ProcessHandle> {
  const { status } = await client.registry(registry);
  const holder = workers.find(({ pid }) => status.owner?.includes(`-${pid}-`));
  if (status.phase !== 'Syncing' || holder === undefined) {
    throw new Error(`${registry} is ${status.phase}, and no worker is ${status.owner}`);
  }
  return holder;
}
