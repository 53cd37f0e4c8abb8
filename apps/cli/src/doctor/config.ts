import { access } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Config } from '@syncline/contract';
import { ConfigError, loadConfig } from '@syncline/runtime/config';
import type { Store } from '../open-store.ts';
import { type Finding, problem, type Result, toFinding, warning } from './finding.ts';

export interface CheckedFile {
  readonly finding: Finding;
  /** The config and its digest, if the file is valid. */
  readonly config?: Config;
  readonly digest?: string;
}

/** Checks the config file that this machine would use. */
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
          why: 'a scheduler cannot start with it; a running one keeps the previous config',
          advice: 'Correct it; syncline validate shows each problem with its line.',
        }),
      () => `there is no ${shown} here; only schedulers need one`,
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

/** @param digestHere that of the config file here, if it is valid */
export function checkInForce(inForce: InForce, digestHere: string | undefined): Result {
  if (inForce === 'none') {
    return problem({
      found: 'none',
      why: 'workers and apis use the config that a scheduler stores',
      advice: 'Start syncline scheduler, or syncline up; check SYNCLINE_PREFIX.',
    });
  }
  if (inForce === 'unreadable') {
    return problem({
      found: 'a config that this version does not understand',
      why: 'processes of this version keep the previous config, or have none',
      advice: 'Run one version everywhere, and restart the scheduler.',
    });
  }
  const found = `${inForce.digest.slice(0, 12)}, registries: ${inForce.registries}`;
  if (digestHere === undefined || digestHere === inForce.digest) return found;
  return warning({
    found: `${found}; the file here differs, ${digestHere.slice(0, 12)}`,
    why: 'a change takes effect when the scheduler that watches the file has read it',
    advice: 'Check that a scheduler runs with this file, and read its log.',
  });
}
