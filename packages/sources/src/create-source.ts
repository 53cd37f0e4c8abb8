import {
  CONFIGURED_SOURCE_KINDS,
  type ConfiguredSourceKind,
  type NetworkConfig,
  type RegistryConfig,
  type SourceBlocks,
  type Sources,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import { Git } from './git/git.ts';
import { HttpClient } from './http/http.ts';
import { ApiSource } from './kinds/api-source.ts';
import { FileCalls, FileSource } from './kinds/file-source.ts';
import { GitSource } from './kinds/git-source.ts';
import { UrlSource } from './kinds/url-source.ts';
import { createAddressGuard } from './network/address-guard.ts';
import { type ProxyOptions, proxyFor } from './network/outgoing.ts';
import type { RequestBudgets } from './network/request-budgets.ts';
import type { Source, SourceTools } from './source.ts';

export type CreateSource = (registry: RegistryConfig) => Source;

export interface SourceDependencies extends Omit<SourceTools, 'calls'> {
  /**
   * The maximum number of threads of libuv's pool that read files at the same time. Default: 3 of
   * Node's 4 default threads.
   */
  readonly fileThreads?: number | undefined;
}

/**
 * The functions that open each kind of source. `SOURCE_KINDS` in the contract package defines the
 * schemas of the config.
 */
const OPEN: {
  readonly [Kind in ConfiguredSourceKind]: (
    block: SourceBlocks[Kind],
    tools: SourceTools & { readonly registry: string },
  ) => Source;
} = {
  file: ({ path, url = '', timeout, ...access }, { calls, http }) =>
    path === undefined
      ? new UrlSource({ url, timeoutMs: timeout, access, http })
      : new FileSource({ path, calls }),
  git: (config, { registry, git }) => new GitSource({ registry, config, git }),
  api: ({ endpoint, timeout, ...access }, { http }) =>
    new ApiSource({ endpoint, timeoutMs: timeout, access, http }),
};

export interface SourcesOptions {
  /** Returns `network` of the config in force. */
  readonly network: () =>
    | (Readonly<Pick<NetworkConfig, 'userAgent'>> & { readonly allow: readonly string[] })
    | undefined;
  readonly proxies: ProxyOptions;
  /** The request budgets. Default: requests are not limited. */
  readonly budgets?: RequestBudgets;
  /** The folder for clones of Git repositories. */
  readonly dataDir: string;
  /** The directories to search for git, in the form of PATH. */
  readonly searchPath?: string | undefined;
  readonly fileThreads?: number | undefined;
  /** The directories below which credential files must lie. Default: they may lie anywhere. */
  readonly credentialDirs?: readonly string[] | undefined;
}

/**
 * Opens the HTTP client and the Git client that all sources of a process share. `close` closes
 * their connections.
 */
export function openSources(options: SourcesOptions): {
  readonly createSource: CreateSource;
  readonly close: () => Promise<void>;
} {
  const { network, proxies, budgets, dataDir, searchPath, fileThreads, credentialDirs } = options;
  const guard = createAddressGuard({ allow: () => network()?.allow ?? [] });
  const shared = { guard, budgets, credentialDirs, userAgent: () => network()?.userAgent };
  const http = new HttpClient({ ...shared, proxies });
  const git = new Git({
    ...shared,
    dataDir,
    searchPath,
    proxyFor: (target) => proxyFor(target, proxies),
  });
  return {
    createSource: createSourceFactory({ http, git, fileThreads }),
    close: () => http.close(),
  };
}

/** Returns a function that creates the source of a registry. */
export function createSourceFactory({ fileThreads, ...deps }: SourceDependencies): CreateSource {
  const calls = new FileCalls({ maxThreads: fileThreads });
  return (registry) => withholdingCredentials(openSource(registry, { ...deps, calls }));
}

function openSource(registry: RegistryConfig, tools: SourceTools): Source {
  const blocks: Sources = registry;
  const open = <Kind extends ConfiguredSourceKind>(kind: Kind): Source[] => {
    const block = blocks[kind];
    return block === undefined ? [] : [OPEN[kind](block, { ...tools, registry: registry.name })];
  };
  const [source] = CONFIGURED_SOURCE_KINDS.flatMap(open);
  if (source !== undefined) return source;
  throw new SynclineError('config-invalid', `registry ${registry.name} has no source`);
}

/**
 * The minimum length of a credential that errors withhold. Shorter credentials do not protect
 * anything, and ordinary text may contain them by chance.
 */
const LEAST_CREDENTIAL_LENGTH = 4;
const WITHHELD = '[withheld]';

/**
 * Returns a text without the given credentials. An upstream may repeat credentials in its
 * responses.
 */
export function withhold(text: string, credentials: ReadonlySet<string>): string {
  let safe = text;
  for (const credential of credentials) {
    if (credential.length < LEAST_CREDENTIAL_LENGTH) continue;
    safe = safe.replaceAll(credential, WITHHELD);
  }
  return safe;
}

/** Returns a source whose errors never contain a credential that its run has read. */
export function withholdingCredentials(source: Source): Source {
  return {
    givesDeltas: source.givesDeltas ?? false,
    probe: (known, context) => withholdOnError(context.credentials, source.probe(known, context)),
    fetch: (take, context, options) =>
      withholdOnError(context.credentials, source.fetch(take, context, options)),
  };
}

async function withholdOnError<Result>(
  credentials: ReadonlySet<string>,
  work: Promise<Result>,
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw isTelling(error, credentials) ? safeError(error, credentials) : error;
  }
}

/**
 * Returns whether an error or one of its causes contains a credential. Logs show the causes too.
 */
function isTelling(error: unknown, credentials: ReadonlySet<string>): boolean {
  if (!(error instanceof Error) || credentials.size === 0) return false;
  const text = `${error.message}${error.stack ?? ''}`;
  return withhold(text, credentials) !== text || isTelling(error.cause, credentials);
}

function safeError(error: unknown, credentials: ReadonlySet<string>): SynclineError {
  const { code, message, retryAfterMs, status } = toSynclineError(error);
  return new SynclineError(code, withhold(message, credentials), {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status }),
  });
}
