import { access } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Config } from '@syncline/contract';
import { ConfigError, loadConfig } from '@syncline/runtime/config';
import type { Store } from '../open-store.ts';
import { type Finding, problem, type Result, toFinding, warning } from './finding.ts';

export interface CheckedFile {
  readonly finding: Finding;
  /** The config, if the file is valid. */
  readonly config?: Config;
  readonly digest?: string;
}

/** Checks the config file that processes on this machine would use. */
export async function checkConfigFile(path: string): Promise<CheckedFile> {
  const check = 'config file';
  const shown = relative('', path) || path;
  try {
    const { CONFIG_CHECKS: checks } = await import('@syncline/scheduler');
    const { config, digest } = await loadConfig(path, { checks });
    return { finding: toFinding(check, shown), config, digest };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const result = await access(path).then(
      () =>
        problem({
          found: error.message.split('\n').join('; '),
          why: 'no scheduler can start with this config. A running scheduler keeps the previous config.',
          advice: 'Run `syncline validate`, and correct each problem in its output.',
        }),
      () => `there is no ${shown} here; only machines with a scheduler need it`,
    );
    return { finding: toFinding(check, result) };
  }
}

export type InForce =
  | { readonly digest: string; readonly registries: number }
  | 'unreadable'
  | 'none';

export async function observeInForce({
  redis,
  keys,
  config: follower,
}: Pick<Store, 'redis' | 'keys' | 'config'>): Promise<InForce> {
  await follower.refresh();
  const config = follower.current();
  const digest = follower.digest();
  if (config !== undefined && digest !== undefined) {
    return { digest, registries: config.registries.length };
  }
  return (await redis.exists(keys.config)) === 1 ? 'unreadable' : 'none';
}

/**
 * Compares the config in force with the local config file. @param digestHere the digest of the
 * local config file, if the file is valid
 */
export function checkInForce(inForce: InForce, digestHere: string | undefined): Result {
  if (inForce === 'none') {
    return problem({
      found: 'none',
      why: 'workers and apis use the config that a scheduler stores in Redis',
      advice: 'Run `syncline scheduler` or `syncline up`, and check SYNCLINE_PREFIX.',
    });
  }
  if (inForce === 'unreadable') {
    return problem({
      found: 'a config that this version does not understand',
      why: 'processes of this version keep the previous config, or have no config',
      advice: 'Run the same version of Syncline everywhere, and restart the scheduler.',
    });
  }
  const found = `${inForce.digest.slice(0, 12)}, registries: ${inForce.registries}`;
  if (digestHere === undefined || digestHere === inForce.digest) return found;
  return warning({
    found: `${found}; the config file on this machine has another digest, ${digestHere.slice(0, 12)}`,
    why: 'a change takes effect only when a scheduler has read the changed file',
    advice: 'Check that a scheduler is running with this file, and read the log of the scheduler.',
  });
}
