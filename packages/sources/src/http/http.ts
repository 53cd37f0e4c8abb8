import { SynclineError } from '@syncline/contract';
import type { Dispatcher } from 'undici';
import { type Access, readAccessHeaders } from '../credentials/credentials.ts';
import type { ConnectionGuard } from '../network/address-guard.ts';
import { Outgoing } from '../network/outgoing.ts';
import type { ProxyOptions } from '../network/proxies.ts';
import type { RequestBudgets } from '../network/request-budgets-port.ts';
import { orAbort } from '../or-abort.ts';
import type { UpstreamUsage } from '../upstream-usage.ts';
import { readBody } from './http-body.ts';
import { connectionError, statusError, timeoutError } from './http-errors.ts';
import { followRedirect, type Hop, redirectTarget } from './http-redirects.ts';

const DEFAULT_USER_AGENT = 'syncline (+https://github.com/syncline/syncline)';
/** What the body of an answer may have that we do not want, for its connection to be kept. */
const MAX_DUMPED_BYTES = 64 * 1024;

export interface HttpRequest {
  readonly url: URL;
  /** Of each request, also of those that redirects lead to; waiting for a budget does not count. */
  readonly timeoutMs: number;
  /** Of the body, as it is sent and decompressed. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly upstream: UpstreamUsage;
  /** Headers and token of the config. They go to the URL's origin, and to no other. */
  readonly access?: Access;
  /** What was read for it is added here. */
  readonly credentials?: Set<string>;
  /** Default: JSON. */
  readonly accept?: string;
  /** Headers such as `if-none-match`, with which a 304 is an answer. */
  readonly conditions?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  /** False after a 304: there was no body to read. */
  readonly isModified: boolean;
  readonly headers: Dispatcher.ResponseData['headers'];
}

export interface HttpClientOptions {
  /** Asked for at each request, so that it follows the config. */
  readonly userAgent: () => string | undefined;
  readonly guard: ConnectionGuard;
  /** Default: none. */
  readonly proxies?: ProxyOptions;
  /** Default: no host has one. */
  readonly budgets?: RequestBudgets;
}

type TakeChunk = (chunk: Buffer) => void;
type Response = Dispatcher.ResponseData;

/** Gets whole bodies from upstreams, within limits. One a process: it keeps connections. */
export class HttpClient {
  readonly #outgoing: Outgoing;
  readonly #userAgent: () => string;
  readonly #budgets: RequestBudgets | undefined;

  constructor({ userAgent, guard, proxies = {}, budgets }: HttpClientOptions) {
    this.#outgoing = new Outgoing({ guard, proxies });
    this.#userAgent = () => userAgent() ?? DEFAULT_USER_AGENT;
    this.#budgets = budgets;
  }

  /**
   * The body of a 200. Redirects are followed, each of them checked as if it had been configured.
   *
   * @throws SynclineError as {@link read} does
   */
  async get(request: Omit<HttpRequest, 'conditions'>): Promise<Uint8Array> {
    const chunks: Buffer[] = [];
    await this.read(request, (chunk) => void chunks.push(chunk));
    return Buffer.concat(chunks);
  }

  /**
   * Hands the body of a 200 to `take`, chunk by chunk.
   *
   * @throws SynclineError `source-http-status`, `source-rate-limited`, `source-timeout`,
   *   `source-too-large`, `source-unreachable`, `source-not-json` (encoded as was not asked for),
   *   `source-address-refused`, `source-redirect-refused`, `source-credential-unreadable`; the signal's
   *   reason where it was aborted
   */
  async read(request: HttpRequest, take: TakeChunk): Promise<HttpAnswer> {
    const { access = {}, credentials } = request;
    const accessHeaders = await readAccessHeaders(access, credentials);
    let hop: Hop = { url: request.url, accessHeaders, before: [] };
    for (;;) {
      const answer = await this.#askInBudget(request, hop, take);
      if (!('location' in answer)) return answer;
      hop = followRedirect(hop, answer.location);
    }
  }

  async close(): Promise<void> {
    await this.#outgoing.close();
  }

  async #askInBudget(request: HttpRequest, hop: Hop, take: TakeChunk) {
    const { signal, timeoutMs } = request;
    const place = await this.#budgets?.take(hop.url.hostname, { signal, holdMs: timeoutMs });
    try {
      return await this.#ask(request, hop, take);
    } finally {
      place?.release();
    }
  }

  async #ask(
    request: HttpRequest,
    hop: Hop,
    take: TakeChunk,
  ): Promise<HttpAnswer | { readonly location: string }> {
    const { timeoutMs, maxBytes, signal, upstream } = request;
    const { url } = hop;
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, timeout]);
    try {
      either.throwIfAborted();
      upstream.requests += 1;
      // undici hears of an abort only once it is connected, which may take longer.
      const response = await orAbort(this.#send(request, hop, either), either);
      const location = redirectTarget(response);
      const isUnmodified = response.statusCode === 304 && request.conditions !== undefined;
      if (response.statusCode !== 200) await dump(response, either);
      if (location !== undefined) return { location };
      if (isUnmodified) return { isModified: false, headers: response.headers };
      if (response.statusCode !== 200) throw statusError(url, response);
      await readBody(response, { url, maxBytes, upstream, take });
      return { isModified: true, headers: response.headers };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof SynclineError) throw error;
      throw timeout.aborted ? timeoutError(url, timeoutMs) : connectionError(url, error);
    }
  }

  async #send(request: HttpRequest, hop: Hop, signal: AbortSignal): Promise<Response> {
    const { url, accessHeaders } = hop;
    const dispatcher = await this.#outgoing.dispatcherFor(url);
    return dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: {
        accept: request.accept ?? 'application/json',
        ...accessHeaders,
        ...request.conditions,
        'accept-encoding': 'gzip',
        'user-agent': this.#userAgent(),
      },
      signal,
    });
  }
}

/** Reads a body that nobody wants to its end, if that is near, so that the connection can be used again. */
async function dump({ body }: Response, signal: AbortSignal): Promise<void> {
  await body.dump({ limit: MAX_DUMPED_BYTES, signal }).catch(() => {});
  signal.throwIfAborted();
}
