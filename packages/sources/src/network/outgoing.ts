import { SynclineError } from '@syncline/contract';
import ipaddr from 'ipaddr.js';
import { type Dispatcher, ProxyAgent } from 'undici';
import { type ConnectionGuard, isAllowed } from './address-guard.ts';
import { AGENT_OPTIONS, GuardedAgent } from './guarded-agent.ts';

/** How long the check of a name behind a proxy stays valid. The proxy resolves the name itself. */
const TARGET_CHECK_VALID_MS = 30_000;
const TARGETS_REMEMBERED = 1_000;

export interface OutgoingOptions {
  readonly guard: ConnectionGuard;
  readonly proxies: ProxyOptions;
}

/**
 * Sends requests directly to checked addresses, or through the operator's proxies. The operator chooses the proxies,
 * so their addresses are not checked.
 */
export class Outgoing {
  readonly #guard: ConnectionGuard;
  readonly #proxies: ProxyOptions;
  readonly #direct: GuardedAgent;
  readonly #directDispatcher: Dispatcher;
  readonly #proxyAgents = new Map<string, ProxyAgent>();
  readonly #targetChecks = new Map<string, TargetCheck>();

  constructor({ guard, proxies }: OutgoingOptions) {
    this.#guard = guard;
    this.#proxies = proxies;
    this.#direct = new GuardedAgent(guard);
    this.#directDispatcher = this.#direct.agent.compose(copyingSmallChunks);
  }

  /**
   * Returns the dispatcher for a target. @throws SynclineError `source-address-refused` if a proxy's target is not
   * public
   */
  async dispatcherFor(target: URL): Promise<Dispatcher> {
    const proxy = proxyFor(target, this.#proxies);
    if (proxy === undefined) {
      this.#direct.closeForbidden(target.hostname);
      return this.#directDispatcher;
    }
    await this.#checkBehindProxy(target.hostname);
    return this.#proxyAgent(proxy).compose(copyingSmallChunks);
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#direct.agent.destroy(),
      ...[...this.#proxyAgents.values()].map((agent) => agent.destroy()),
    ]);
  }

  #proxyAgent(uri: string): ProxyAgent {
    const found = this.#proxyAgents.get(uri) ?? new ProxyAgent({ ...AGENT_OPTIONS, uri });
    this.#proxyAgents.set(uri, found);
    return found;
  }

  /**
   * Checks the addresses of a host if its name resolves on this machine. Otherwise only the proxy knows the addresses.
   * Waits for the resolver as long as it takes: a request times out first, and the next request uses the late answer. A
   * name that resolves slowly must not skip the check.
   */
  #checkBehindProxy(host: string): Promise<void> {
    const known = this.#targetChecks.get(host);
    if (known !== undefined && performance.now() < known.validUntilMs) return known.passed;
    if (this.#targetChecks.size >= TARGETS_REMEMBERED) this.#targetChecks.clear();
    const check = { passed: this.#refuseForbidden(host), validUntilMs: Number.POSITIVE_INFINITY };
    this.#targetChecks.set(host, check);
    check.passed.then(
      () => {
        check.validUntilMs = performance.now() + TARGET_CHECK_VALID_MS;
      },
      () => {
        check.validUntilMs = 0;
      },
    );
    return check.passed;
  }

  async #refuseForbidden(host: string): Promise<void> {
    try {
      await this.#guard.resolve(host);
    } catch (error) {
      if (error instanceof SynclineError && error.code === 'source-unreachable') return;
      throw error;
    }
  }
}

/** The check of a target, which is valid while it runs. */
interface TargetCheck {
  readonly passed: Promise<void>;
  readonly validUntilMs: number;
}

/**
 * Copies parts of a body that are much smaller than the buffer that their connection read. A body in small chunks could
 * otherwise keep thousands of such buffers while it waits to be read.
 */
const copyingSmallChunks: Dispatcher.DispatcherComposeInterceptor =
  (dispatch) => (options, handler) =>
    dispatch(options, new CopyingHandler(handler));

type Handler = Required<Dispatcher.DispatchHandler>;

class CopyingHandler implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;

  constructor(handler: Dispatcher.DispatchHandler) {
    this.#handler = handler;
  }

  onRequestStart(...args: Parameters<Handler['onRequestStart']>): void {
    this.#handler.onRequestStart?.(...args);
  }

  onRequestUpgrade(...args: Parameters<Handler['onRequestUpgrade']>): void {
    this.#handler.onRequestUpgrade?.(...args);
  }

  onResponseStart(...args: Parameters<Handler['onResponseStart']>): void {
    this.#handler.onResponseStart?.(...args);
  }

  onResponseEnd(...args: Parameters<Handler['onResponseEnd']>): void {
    this.#handler.onResponseEnd?.(...args);
  }

  onResponseError(...args: Parameters<Handler['onResponseError']>): void {
    this.#handler.onResponseError?.(...args);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const isSmall = chunk.length < chunk.buffer.byteLength / 2;
    this.#handler.onResponseData?.(controller, isSmall ? Buffer.from(chunk) : chunk);
  }
}

/** The proxies for requests. They have the format of the usual environment variables. */
export interface ProxyOptions {
  /** The URL of the proxy for `http:` targets. It may contain a user and a password. */
  readonly http?: string | undefined;
  /** The URL of the proxy for `https:` targets. */
  readonly https?: string | undefined;
  /** Targets without a proxy: addresses, ranges, `*`, or names, which include their subdomains. */
  readonly except?: string | undefined;
}

/** Returns the URL of the proxy for a target, or `undefined` for a direct request. */
export function proxyFor(
  target: URL,
  { http, https, except = '' }: ProxyOptions,
): string | undefined {
  const proxy = target.protocol === 'https:' ? https : http;
  if (proxy === undefined) return undefined;
  const isExcepted = except
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => matches(target, entry.toLowerCase()));
  return isExcepted ? undefined : proxy;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

function matches(target: URL, entry: string): boolean {
  if (entry === '*') return true;
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  const { name, port } = splitPort(entry);
  if (port !== undefined && port !== (target.port || DEFAULT_PORTS[target.protocol])) return false;
  if (ipaddr.isValid(host)) return isAllowed(host, [name]);
  const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '');
  if (suffix === '') return false;
  return host.endsWith(`.${suffix}`) || (host === suffix && !name.startsWith('*'));
}

/** Splits the port from an entry. A port may follow a name, an IPv4 address, or an IPv6 address in brackets. */
function splitPort(entry: string): { name: string; port: string | undefined } {
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry);
  return { name: found?.[1] ?? found?.[2] ?? entry, port: found?.[3] };
}
