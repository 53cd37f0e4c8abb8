import {
  type ConfigInput,
  type RegistryConfig,
  registryConfigSchema,
  SynclineError,
} from '@syncline/contract';
import { registryProblems } from '@syncline/runtime';
import { checkGlobs, checkSchedules } from '@syncline/sync';

export type RegistryInput = ConfigInput['registries'][number];

/**
 * A registry as somebody would like to have it, checked as a config file would be, and that it can be
 * read by workers without such a file: its paths are absolute.
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
  // The schema has just accepted it.
  const input = named as RegistryInput;
  const registry = registryConfigSchema.parse(input);
  const relative = relativePaths(registry);
  if (relative.length === 0) return { input, registry };
  throw invalid(
    relative.map((path) => `${path}: expected an absolute path: there is no file it could be from`),
  );
}

/**
 * Control is no right to have workers send their files anywhere: a preview may use a credential only
 * where the config in force sends it too.
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
      ({ path, target, file }) => path === use.path && target === use.target && file === use.file,
    );
  const refused = credentialUses(registry).filter((use) => !isKnown(use));
  if (refused.length === 0) return;
  throw invalid(
    refused.map(
      ({ path }) =>
        `${path}: expected a credential that ${registry.name} has in the config in force, for the same place; syncline diff --file takes others`,
    ),
  );
}

/** A file that holds a credential, and to whom it is sent. */
interface CredentialUse {
  readonly path: string;
  readonly file: string;
  readonly target: string;
}

function credentialUses({ file, api, git }: RegistryConfig): CredentialUse[] {
  return [
    ...usesOf('file', { ...file, target: originOf(file?.url) }),
    ...usesOf('api', { ...api, target: originOf(api?.endpoint) }),
    ...usesOf('git', { ...git, target: git?.repository ?? '' }),
  ];
}

interface Block {
  readonly target: string;
  readonly auth?: Readonly<Record<string, string | undefined>> | undefined;
  readonly headers?: Readonly<Record<string, string | { readonly file: string }>> | undefined;
}

function usesOf(kind: string, { target, auth = {}, headers = {} }: Block): CredentialUse[] {
  const uses: CredentialUse[] = [];
  for (const [key, file] of Object.entries(auth)) {
    if (key.endsWith('File') && file !== undefined) {
      uses.push({ path: `${kind}.auth.${key}`, file, target });
    }
  }
  for (const [header, value] of Object.entries(headers)) {
    if (typeof value === 'object') {
      uses.push({ path: `${kind}.headers.${header}`, file: value.file, target });
    }
  }
  return uses;
}

function originOf(url: string | undefined): string {
  return url === undefined ? '' : new URL(url).origin;
}

function relativePaths({ file, git }: RegistryConfig): string[] {
  // What is neither a URL nor host:path is a path on the workers' disk.
  const isPath = git !== undefined && !git.repository.includes(':');
  return [
    ...(file?.path?.startsWith('/') === false ? ['file.path'] : []),
    ...(isPath && !git.repository.startsWith('/') ? ['git.repository'] : []),
  ];
}

function invalid(problems: readonly string[]): SynclineError {
  const places = problems.map((problem) =>
    /^[\w.[\]-]+: /.test(problem) ? `config.${problem}` : `config: ${problem}`,
  );
  return new SynclineError('bad-request', `invalid body: ${places.join('; ')}`);
}
