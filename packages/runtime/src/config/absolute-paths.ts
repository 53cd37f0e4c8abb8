import { resolve } from 'node:path';
import { type ConfigInput, isLocalRepository } from '@syncline/contract';

type RegistryInput = ConfigInput['registries'][number];
type Headers = NonNullable<NonNullable<RegistryInput['api']>['headers']>;

/**
 * The same config, with every relative path in it taken from `directory`: those of registry files, local
 * repositories and files with credentials.
 */
export function withAbsolutePaths(input: ConfigInput, directory: string): ConfigInput {
  const absolute = (path: string) => resolve(directory, path);
  return {
    ...input,
    registries: input.registries.map((registry) => ({
      ...registry,
      ...(registry.file && {
        file: {
          ...withAbsoluteCredentials(registry.file, absolute),
          ...pathsIn(registry.file, ['path'], absolute),
        },
      }),
      ...(registry.api && { api: withAbsoluteCredentials(registry.api, absolute) }),
      ...(registry.git && { git: withAbsoluteRepository(registry.git, absolute) }),
    })),
  };
}

type MakeAbsolute = (path: string) => string;

function withAbsoluteCredentials<
  Source extends Pick<NonNullable<RegistryInput['api']>, 'auth' | 'headers'>,
>(source: Source, absolute: MakeAbsolute): Source {
  const { auth, headers } = source;
  return {
    ...source,
    ...(auth && { auth: { ...auth, ...pathsIn(auth, ['tokenFile'], absolute) } }),
    ...(headers && { headers: withAbsoluteHeaders(headers, absolute) }),
  };
}

function withAbsoluteHeaders(headers: Headers, absolute: MakeAbsolute): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : { file: absolute(value.file) },
    ]),
  );
}

function withAbsoluteRepository(
  git: NonNullable<RegistryInput['git']>,
  absolute: MakeAbsolute,
): NonNullable<RegistryInput['git']> {
  const { repository, auth } = git;
  const files = ['passwordFile', 'sshKeyFile', 'knownHostsFile'] as const;
  return {
    ...git,
    repository: isLocalRepository(repository) ? absolute(repository) : repository,
    ...(auth && { auth: { ...auth, ...pathsIn(auth, files, absolute) } }),
  };
}

/** Those of the keys that are there, made absolute. */
function pathsIn<Key extends string>(
  block: { readonly [Name in Key]?: string | undefined },
  keys: readonly Key[],
  absolute: MakeAbsolute,
): { [Name in Key]?: string } {
  const paths: { [Name in Key]?: string } = {};
  for (const key of keys) {
    const path = block[key];
    if (path !== undefined) paths[key] = absolute(path);
  }
  return paths;
}
