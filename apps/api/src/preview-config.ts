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
 * Parses a registry entry and checks it like an entry of a config file. Its paths must be absolute, because there is no
 * config file to which relative paths could refer.
 *
 * @param entry an entry of `registries:`, with or without the name
 * @throws SynclineError `bad-request`, naming each invalid field
 */
export function readRegistryInput(name: string, entry: Readonly<Record<string, unknown>>) {
  const { name: ownName = name } = entry;
  const named = { ...entry, name };
  const problems = registryProblems(named, { checks: [checkGlobs, checkSchedules] });
  if (ownName !== name) problems.unshift(`name: use ${name}, as in the path, or omit the name`);
  if (problems.length > 0) throw invalid(problems);
  // The schema has accepted the entry.
  const input = named as RegistryInput;
  const registry = registryConfigSchema.parse(input);
  const relative = relativePaths(registry);
  if (relative.length === 0) return { input, registry };
  throw invalid(relative.map((path) => `${path}: use an absolute path`));
}

/**
 * Refuses an entry that uses a credential for a new target. A caller with control must not be able to send credential
 * files of workers anywhere. So a preview may use a credential only for the target to which the config in force sends
 * it.
 *
 * @param inForce the registry with the same name in the config in force
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
        `${option}: use a credential that ${registry.name} has for the same host in the config in force, or preview with \`syncline diff --file\``,
    ),
  );
}

/**
 * Refuses an entry that reads a local path which no registry in force reads. Otherwise, a caller with control could find
 * out which files exist on the machines of the workers, and whether they change.
 *
 * @throws SynclineError `bad-request`
 */
export function refuseNewLocalPaths(
  registry: RegistryConfig,
  inForce: readonly RegistryConfig[],
): void {
  const known = new Set(inForce.flatMap((other) => localPlaces(other).map(({ path }) => path)));
  const refused = localPlaces(registry).filter(({ path }) => !known.has(path));
  if (refused.length === 0) return;
  throw invalid(
    refused.map(
      ({ option }) =>
        `${option}: use a path that a registry in the config in force reads, or preview with \`syncline diff --file\``,
    ),
  );
}

/** Returns the local paths of a registry, and a repository with a `file:` URL. */
function localPlaces(registry: RegistryConfig): Pick<SourcePath, 'option' | 'path'>[] {
  const repository = registry.git?.repository ?? '';
  const isFileUrl = /^file:/i.test(repository);
  return isFileUrl ? [{ option: 'git.repository', path: repository }] : localPaths(registry);
}

function localPaths(registry: RegistryConfig): SourcePath[] {
  return sourcePaths(registry).filter(({ use }) => use === 'registry');
}

/** The file of a credential, its option in the config, and the target that receives it. */
type CredentialUse = SourcePath & { readonly audience: string };

function credentialUses(registry: RegistryConfig): CredentialUse[] {
  const audience = configuredSource(registry)?.audience ?? '';
  return sourcePaths(registry)
    .filter(({ use }) => use !== 'registry')
    .map((path) => ({ ...path, audience }));
}

function relativePaths(registry: RegistryConfig): string[] {
  return localPaths(registry)
    .filter(({ path }) => !path.startsWith('/'))
    .map(({ option }) => option);
}

function invalid(problems: readonly string[]): SynclineError {
  const places = problems.map((problem) =>
    /^[\w.[\]-]+: /.test(problem) ? `config.${problem}` : `config: ${problem}`,
  );
  return new SynclineError('bad-request', `invalid body: ${places.join('; ')}`);
}
