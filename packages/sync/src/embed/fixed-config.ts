import { type ConfigInput, configSchema, SynclineError, syncTargets } from '@syncline/contract';
import { z } from 'zod';
import { checkGlobs, checkSchedules } from '../decide/config-checks.ts';
import type { ConfigSource } from '../ports/config-source.ts';

/**
 * Creates the source of a config that never changes.
 *
 * @throws SynclineError `config-invalid` with all problems at once
 */
export function createFixedConfig(input: ConfigInput): ConfigSource {
  const { data: config, error } = configSchema.safeParse(input);
  const issues = config ? [...checkGlobs(config), ...checkSchedules(config)] : error.issues;
  if (config === undefined || issues.length > 0) throw rejected('Config', issues);
  const targets = syncTargets(config);
  return {
    current: () => config,
    registry: (name) => targets.find((target) => target.name === name),
    targets: () => targets,
    refresh: async () => {},
  };
}

/** Returns the error of an invalid value, with the place and the advice of each problem. */
export function rejected(
  what: 'Config' | 'Options',
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): SynclineError {
  const problems = issues.map(
    ({ path, message }) => `${z.core.toDotPath([...path]) || what.toLowerCase()}: ${message}`,
  );
  return new SynclineError('config-invalid', `${what} rejected. ${problems.join('. ')}`);
}
