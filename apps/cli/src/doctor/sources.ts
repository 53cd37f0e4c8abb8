import {
  type Config,
  changeStatus,
  configuredSource,
  describeSource,
  PENDING_STATUS,
  type RegistryConfig,
  type SourceKind,
  SynclineError,
  sourceKind,
  toSynclineError,
} from '@syncline/contract';
import { type Env, searchPath } from '@syncline/runtime';
import {
  createAddressGuard,
  createSourceFactory,
  Git,
  HttpClient,
  proxyFor,
} from '@syncline/sources';
import { formatTook } from '../format/age.ts';
import { describeError } from '../report-error.ts';
import { type Finding, ok, problem } from './finding.ts';

export interface SourceFacts {
  readonly registry: string;
  readonly kind: SourceKind;
  /** Without credentials. */
  readonly location: string;
  readonly tookMs: number;
  readonly trouble: { readonly code: string; readonly message: string } | undefined;
}

const ADVICE: Readonly<Record<string, string>> = {
  'source-address-refused':
    'if it is meant to be asked, name the address or host in network.allow of the config',
  'source-credential-unreadable': 'put the file there, readable for the user of the workers',
  'source-file-missing': 'put the file there, on every machine that runs workers',
  'source-file-unreadable': 'let the user of the workers read the file',
  'source-http-status': 'check address and credentials: the upstream has answered',
  'source-rate-limited': 'ask it less often: syncPolicy.interval, network.budgets',
  'source-ref-missing': 'check branch, tag or commit',
  'source-unreachable': 'check address, DNS, firewall and proxy of this machine',
};
const OTHER_ADVICE = 'docs/errors.md says what to do about each code';

/** Whether each source answers this machine; workers on others may fare differently. */
export function checkSources(sources: readonly SourceFacts[]): Finding[] {
  return sources.map(({ registry, kind, location, tookMs, trouble }) => {
    const check = `source of ${registry}`;
    if (trouble === undefined) {
      return ok(check, `${kind} ${location}, asked from here in ${formatTook(tookMs)}`);
    }
    return problem(check, {
      found: `${trouble.message} (${trouble.code}), asked from this machine`,
      why: 'the registry cannot be synced; its last good copy is still served',
      advice: ADVICE[trouble.code] ?? OTHER_ADVICE,
    });
  });
}

export interface AskOptions {
  /** For each source. */
  readonly timeoutMs: number;
  /** Sources asked at once. */
  readonly concurrency: number;
  readonly env: Env;
}

/** Asks each source of a config as a worker would, for as little as shows that it answers. */
export async function askSources(
  config: Config,
  { timeoutMs, concurrency, env }: AskOptions,
): Promise<SourceFacts[]> {
  const sources = openSources(config, env);
  const facts: SourceFacts[] = [];
  const left = [...config.registries.entries()];
  const askNext = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, registry] = next;
      facts[index] = await askSource(registry, sources.create, timeoutMs);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, askNext));
  } finally {
    await sources.close();
  }
  return facts;
}

type CreateSource = ReturnType<typeof createSourceFactory>;

/** The one place where sources are made: as `start-worker.ts` makes them, but without a say in budgets. */
function openSources(
  { network }: Config,
  env: Env,
): { create: CreateSource; close(): Promise<void> } {
  const guard = createAddressGuard({ allow: () => network.allow });
  const proxies = { http: env.httpProxy, https: env.httpsProxy, except: env.noProxy };
  const userAgent = () => network.userAgent;
  const http = new HttpClient({ userAgent, guard, proxies });
  const git = new Git({
    dataDir: env.dataDir,
    searchPath: searchPath(),
    guard,
    proxyFor: (target) => proxyFor(target, proxies),
    userAgent,
  });
  return { create: createSourceFactory({ http, git }), close: () => http.close() };
}

async function askSource(
  registry: RegistryConfig,
  create: CreateSource,
  timeoutMs: number,
): Promise<SourceFacts> {
  const startedAtMs = performance.now();
  const trouble = await troubleWith(registry, create, timeoutMs);
  return {
    registry: registry.name,
    kind: sourceKind(registry),
    location: describeSource(registry),
    tookMs: performance.now() - startedAtMs,
    trouble,
  };
}

async function troubleWith(
  registry: RegistryConfig,
  create: CreateSource,
  timeoutMs: number,
): Promise<SourceFacts['trouble']> {
  const timeout = AbortSignal.timeout(timeoutMs);
  // One that has failed before gets one try only.
  const status = changeStatus(PENDING_STATUS, { consecutiveFailures: 1 });
  const context = {
    signal: timeout,
    upstream: { requests: 0, bytes: 0 },
    credentials: new Set<string>(),
    status,
    report: () => {},
  };
  try {
    const source = create(registry);
    if (configuredSource(registry)?.hasProbe) await source.probe('', context);
    // Without a cheap check, the first body shows all that there is to see.
    else await source.fetch(endAfterFirst, context);
    return undefined;
  } catch (error) {
    if (error instanceof FirstBody) return undefined;
    if (timeout.aborted) {
      return { code: 'source-timeout', message: `no answer within ${timeoutMs / 1_000} s` };
    }
    return { code: toSynclineError(error).code, message: describeError(error) };
  }
}

/** Ends a fetch that has shown what was to be seen. */
class FirstBody extends Error {}

async function endAfterFirst(body: Uint8Array): Promise<never> {
  try {
    JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (cause) {
    throw new SynclineError('source-not-json', 'it answers with something else than JSON', {
      cause,
    });
  }
  throw new FirstBody();
}
