import {
  type Config,
  changeStatus,
  configuredSource,
  describeSource,
  ERRORS,
  PENDING_STATUS,
  type RegistryConfig,
  SynclineError,
  sourceKind,
  toSynclineError,
} from '@syncline/contract';
import { type Env, searchPath } from '@syncline/runtime';
import { type CreateSource, MemoryBudget, openSources } from '@syncline/sources';
import { formatTook } from '../format/age.ts';
import { describeError } from '../report-error.ts';
import { type Finding, problem, type Result, toFinding } from './finding.ts';

const CONCURRENCY = 8;

export interface SourcesOptions {
  readonly env: Env;
  /** The timeout for each source. */
  readonly timeoutMs: number;
}

/**
 * Checks each source of a config as a worker would. Workers on other machines may get other results.
 */
export async function checkSources(
  { registries, network }: Config,
  { env, timeoutMs }: SourcesOptions,
): Promise<Finding[]> {
  const { createSource: create, close } = openSources({
    network: () => network,
    proxies: { http: env.httpProxy, https: env.httpsProxy, except: env.noProxy },
    dataDir: env.dataDir,
    searchPath: searchPath(),
    credentialDirs: env.credentialDirs,
  });
  const findings: Finding[] = [];
  const left = registries.entries();
  const checkNext = async () => {
    for (const [index, registry] of left) {
      const result = await checkSource(registry, { create, timeoutMs });
      findings[index] = toFinding(`source of ${registry.name}`, result);
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, checkNext));
  } finally {
    await close();
  }
  return findings;
}

async function checkSource(
  registry: RegistryConfig,
  { create, timeoutMs }: { readonly create: CreateSource; readonly timeoutMs: number },
): Promise<Result> {
  const startedAtMs = performance.now();
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    await ask(registry, create, timeout);
    const took = formatTook(performance.now() - startedAtMs);
    return `${sourceKind(registry)} ${describeSource(registry)} answered this machine in ${took}`;
  } catch (cause) {
    const error = timeout.aborted
      ? new SynclineError('source-timeout', `no answer within ${timeoutMs / 1_000} s`)
      : toSynclineError(cause);
    return problem({
      found: `${describeError(error)} (${error.code}), from this machine`,
      why: 'Syncline cannot sync the registry, but continues to serve the last good copy',
      advice: ERRORS[error.code].advice,
    });
  }
}

/** Enough for the largest body. */
const MEMORY_BYTES = 1024 ** 3;

/** Sends the smallest request that shows whether a source responds. */
async function ask(registry: RegistryConfig, create: CreateSource, signal: AbortSignal) {
  using memory = new MemoryBudget({ totalBytes: MEMORY_BYTES }).open(registry.name);
  const context = {
    signal,
    memory,
    upstream: { requests: 0, bytes: 0 },
    credentials: new Set<string>(),
    // With one failure in the status, the source tries only once.
    status: changeStatus(PENDING_STATUS, { consecutiveFailures: 1 }),
    report: () => {},
  };
  const source = create(registry);
  try {
    if (configuredSource(registry)?.hasProbe) await source.probe('', context);
    // Without a cheap check, the first body is enough.
    else await source.fetch(endAfterFirst, context);
  } catch (error) {
    if (!(error instanceof FirstBody)) throw error;
  }
}

/** Thrown to end a fetch after its first body. */
class FirstBody extends Error {}

async function endAfterFirst(body: Uint8Array): Promise<never> {
  try {
    JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (cause) {
    throw new SynclineError('source-not-json', 'the response is not JSON', { cause });
  }
  throw new FirstBody();
}
