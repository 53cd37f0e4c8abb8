import { type ConfigInput, configSchema, SynclineError, syncTargets } from '@syncline/contract';
import { checkGlobs, checkSchedules } from '../decide/config-checks.ts';
import type { ConfigSource } from '../ports/config-source.ts';

/**
 * A config that stays as it is.
 *
 * @throws SynclineError `config-invalid` with all problems at once
 */
export function createFixedConfig(input: ConfigInput): ConfigSource {
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) throw invalid(parsed.error.issues);
  const config = parsed.data;
  const issues = [checkGlobs, checkSchedules].flatMap((check) => check(config));
  if (issues.length > 0) throw invalid(issues);
  const targets = syncTargets(config);
  return {
    current: () => config,
    registry: (name) => targets.find((target) => target.name === name),
    targets: () => targets,
    refresh: async () => {},
  };
}

function invalid(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): SynclineError {
  const problems = issues.map(({ path, message }) => `${placeOf(path)}: ${message}`);
  return new SynclineError('config-invalid', `Config rejected. ${problems.join('. ')}`);
}

function placeOf(path: readonly PropertyKey[]): string {
  const text = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('');
  return text === '' ? 'config' : text.replace(/^\./, '');
}
