import { setTimeout as sleep } from 'node:timers/promises';
import { SynclineError } from '@syncline/contract';
import { type Dispatcher, ProxyAgent } from 'undici';
import type { ConnectionGuard } from './address-guard.ts';
import { AGENT_OPTIONS, GuardedAgent } from './guarded-agent.ts';
import { type ProxyOptions, proxyFor } from './proxies.ts';

/** How long what a name stands for is remembered, where a proxy resolves it once more. */
const TARGET_CHECK_VALID_MS = 30_000;
/** Where only proxies get out, no name may resolve here, and each try take long. */
const TARGET_CHECK_TIMEOUT_MS = 2_000;
const TARGETS_REMEMBERED = 1_000;

export interface OutgoingOptions {
  readonly guard: ConnectionGuard;
  readonly proxies: ProxyOptions;
}

/**
 * The ways out of this process: directly, to checked addresses only, or through the proxies that the
 * operator has set. A proxy's own address is the operator's choice, and is not checked.
 */
export class Outgoing {
  readonly #guard: ConnectionGuard;
  readonly #proxies: ProxyOptions;
  readonly #direct: GuardedAgent;
  readonly #proxyAgents = new Map<string, ProxyAgent>();
  readonly #checkedAtMs = new Map<string, number>();

  constructor({ guard, proxies }: OutgoingOptions) {
    this.#guard = guard;
    this.#proxies = proxies;
    this.#direct = new GuardedAgent(guard);
  }

  /** @throws SynclineError `source-address-refused` where the target of a proxy is known to be not public */
  async dispatcherFor(target: URL): Promise<Dispatcher> {
    const proxy = proxyFor(target, this.#proxies);
    if (proxy === undefined) {
      this.#direct.closeForbidden(target.hostname);
      return this.#direct.agent;
    }
    await this.#checkBehindProxy(target.hostname);
    return this.#proxyAgent(proxy);
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

  /** What resolves here is checked; what does not, only the proxy can know. */
  async #checkBehindProxy(host: string): Promise<void> {
    const nowMs = performance.now();
    const checkedAtMs = this.#checkedAtMs.get(host) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - checkedAtMs < TARGET_CHECK_VALID_MS) return;
    const tooLong = sleep(TARGET_CHECK_TIMEOUT_MS, undefined, { ref: false });
    await Promise.race([this.#refuseForbidden(host), tooLong]);
    if (this.#checkedAtMs.size >= TARGETS_REMEMBERED) this.#checkedAtMs.clear();
    this.#checkedAtMs.set(host, nowMs);
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
