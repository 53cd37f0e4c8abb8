import {
  type ConfigInput,
  configuredSource,
  type RegistryConfig,
  registryConfigSchema,
  type SourcePath,
  SynclineError,
  sourcePaths,
} from '@syncline/contract';
import { registryProblems } from '@syncline/runtime/config';
import { checkGlobs, checkSchedules } from '@syncline/sync/config-checks';

export type RegistryInput = ConfigInput['registries'][number];

/**
 * Parses a registry entry and checks it like an entry of a config file. Its paths must be absolute, because workers have
 * no file that relative paths could refer to.
 *
 * @param entry an entry of `registries:`, with or without the name
 * @throws SynclineError `bad-request`, naming each field that is wrong
 */
export function readRegistryInput(name: string, entry: Readonly<Record<string, unknown>>) {
  const { name: ownName = name } = entry;
  const named = { ...entry, name };
  const problems = registryProblems(named, { checks: [checkGlobs, checkSchedules] });
  if (ownName !== name) problems.unshift(`name: expected ${name}, as in the path, or none`);
  if (problems.length > 0) throw invalid(problems);
  // The schema has accepted it.
  const input = named as RegistryInput;
  const registry = registryConfigSchema.parse(input);
  const relative = relativePaths(registry);
  if (relative.length === 0) return { input, registry };
  throw invalid(
    relative.map((path) => `${path}: expected an absolute path: there is no file it could be from`),
  );
}

/**
 * Control does not include sending files of workers to any place. A preview may use a credential only for the place that
 * the config in force sends it to.
 *
 * @param inForce the registry of that name in the config in force
 * @throws SynclineError `bad-request`
 */
export function refuseNewCredentials(
  registry: RegistryConfig,
  inForce: RegistryConfig | undefined,
): void {
  const known = inForce === undefined ? [] : credentialUses(inForce);
  const isKnown = (use: CredentialUse) =>
    known.some(
      ({ option, audience, path }) =>
        option === use.option && audience === use.audience && path === use.path,
    );
  const refused = credentialUses(registry).filter((use) => !isKnown(use));
  if (refused.length === 0) return;
  throw invalid(
    refused.map(
      ({ option }) =>
        `${option}: expected a credential that ${registry.name} has in the config in force, for the same place; syncline diff --file takes others`,
    ),
  );
}

/** The file of a credential, its option in the config, and the place that it is sent to. */
type CredentialUse = SourcePath & { readonly audience: string };

function credentialUses(registry: RegistryConfig): CredentialUse[] {
  const audience = configuredSource(registry)?.audience ?? '';
  return sourcePaths(registry)
    .filter(({ use }) => use !== 'registry')
    .map((path) => ({ ...path, audience }));
}

function relativePaths(registry: RegistryConfig): string[] {
  return sourcePaths(registry)
    .filter(({ use, path }) => use === 'registry' && !path.startsWith('/'))
    .map(({ option }) => option);
}

function invalid(problems: readonly string[]): SynclineError {
  const places = problems.map((problem) =>
    /^[\w.[\]-]+: /.test(problem) ? `config.${problem}` : `config: ${problem}`,
  );
  return new SynclineError('bad-request', `invalid body: ${places.join('; ')}`);
}
