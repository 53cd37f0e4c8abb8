import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, SynclineError } from '@syncline/contract';
import type { Dispatcher } from 'undici';
import { type Access, readAccessHeaders } from '../credentials/credentials.ts';
import type { ConnectionGuard } from '../network/address-guard.ts';
import { Outgoing, type ProxyOptions } from '../network/outgoing.ts';
import type { RequestBudgets } from '../network/request-budgets.ts';
import { orAbort, type SourceContext, type UpstreamUsage } from '../source.ts';
import { connectionError, place, readBody, statusError } from './http-body.ts';

const DEFAULT_USER_AGENT = 'syncline (+https://github.com/syncline/syncline)';
/** An unwanted body is read to its end up to this size, to keep the connection. */
const MAX_DUMPED_BYTES = 64 * 1024;

export interface HttpRequest {
  readonly url: URL;
  /** Of each request, also of each redirected one. The wait for a budget does not count. */
  readonly timeoutMs: number;
  /** Of the body, both compressed and decompressed. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly upstream: UpstreamUsage;
  /** Headers and token of the config. Only the URL's origin gets them. */
  readonly access?: Access;
  /** The credentials that were read for `access` are added here. */
  readonly credentials?: Set<string>;
  /** Default: JSON. */
  readonly accept?: string;
  /** Headers such as `if-none-match`. With them, a 304 is a valid answer. */
  readonly conditions?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  /** False after a 304: there was no body to read. */
  readonly isModified: boolean;
  readonly headers: Dispatcher.ResponseData['headers'];
}

export interface HttpClientOptions {
  /** Called for each request, because the config may change. */
  readonly userAgent: () => string | undefined;
  readonly guard: ConnectionGuard;
  /** Default: none. */
  readonly proxies?: ProxyOptions;
  /** Default: no host has a budget. */
  readonly budgets?: RequestBudgets | undefined;
}

type TakeChunk = (chunk: Buffer) => void;
type Response = Dispatcher.ResponseData;

/** Gets whole bodies from upstreams, within limits. It keeps connections: create one per process. */
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
   * Returns the body of a 200. Follows redirects; each target is checked like a configured one.
   *
   * @throws SynclineError as {@link read} does
   */
  async get(request: Omit<HttpRequest, 'conditions'>): Promise<Uint8Array> {
    const chunks: Buffer[] = [];
    await this.read(request, (chunk) => void chunks.push(chunk));
    return Buffer.concat(chunks);
  }

  /**
   * Passes the body of a 200 to `take`, chunk by chunk.
   *
   * @throws SynclineError `source-http-status`, `source-rate-limited`, `source-timeout`,
   *   `source-too-large`, `source-unreachable`, `source-not-json` (an encoding other than gzip),
   *   `source-address-refused`, `source-redirect-refused`, `source-credential-unreadable`; the reason of an
   *   aborted signal
   */
  async read(request: HttpRequest, take: TakeChunk): Promise<HttpAnswer> {
    const { access = {}, credentials } = request;
    const accessHeaders = await readAccessHeaders(access, credentials);
    let hop: Hop = { url: request.url, accessHeaders, before: [] };
    for (;;) {
      const answer = await this.#ask(request, hop, take);
      if (!('location' in answer)) return answer;
      hop = followRedirect(hop, answer.location);
    }
  }

  async close(): Promise<void> {
    await this.#outgoing.close();
  }

  async #ask(
    request: HttpRequest,
    hop: Hop,
    take: TakeChunk,
  ): Promise<HttpAnswer | { readonly location: string }> {
    const { timeoutMs, maxBytes, signal, upstream } = request;
    const { url } = hop;
    using _place = await this.#budgets?.take(url.hostname, { signal, holdMs: timeoutMs });
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, timeout]);
    try {
      either.throwIfAborted();
      upstream.requests += 1;
      // undici ignores an abort until it is connected, which may take longer.
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
      if (!timeout.aborted) throw connectionError(url, error);
      const what = `${place(url)} did not answer within ${timeoutMs} ms`;
      throw new SynclineError('source-timeout', what);
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

/** Reads an unwanted body to its end if that is near: only then can the connection be used again. */
async function dump({ body }: Response, signal: AbortSignal): Promise<void> {
  await body.dump({ limit: MAX_DUMPED_BYTES, signal }).catch(() => {});
  signal.throwIfAborted();
}

/** Tries before the run gives up. A registry whose last run failed gets one try only. */
const ATTEMPTS = 3;
const FIRST_RETRY_DELAY_MS = 1_000;
/** A longer `Retry-After` ends the run, and delays the next one. */
const LONGEST_WAIT_IN_RUN_MS = 30_000;

/**
 * Retries a request a few times, with growing delays, after errors that may pass.
 *
 * @throws the error of the last try; the reason of an aborted signal
 */
export async function withRetries<Result>(
  { signal, status }: Pick<SourceContext, 'signal' | 'status'>,
  ask: () => Promise<Result>,
): Promise<Result> {
  const attempts = status.consecutiveFailures > 0 ? 1 : ATTEMPTS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const delayMs = retryDelayMs(error, attempt);
      if (attempt >= attempts || delayMs === undefined) throw error;
      await sleep(delayMs, undefined, { signal });
    }
  }
}

/** Returns how long to wait before the next try; `undefined` if a retry is useless. */
function retryDelayMs(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof SynclineError)) return undefined;
  const isRefused = error.code === 'source-http-status' && (error.status ?? 0) < 500;
  if (isRefused || !ERRORS[error.code].retry) return undefined;
  const delayMs = error.retryAfterMs ?? FIRST_RETRY_DELAY_MS * 2 ** (attempt - 1);
  return delayMs > LONGEST_WAIT_IN_RUN_MS ? undefined : delayMs;
}

const MAX_REDIRECTIONS = 5;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** One of the requests on the way to a body. */
export interface Hop {
  readonly url: URL;
  /** The headers of the config. A redirect to another origin drops them for good. */
  readonly accessHeaders: Readonly<Record<string, string>>;
  /** The URLs that redirected here. */
  readonly before: readonly string[];
}

/** Returns the target of a redirect; `undefined` if the answer is not a redirect. */
export function redirectTarget({
  statusCode,
  headers,
}: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>): string | undefined {
  if (!REDIRECT_STATUSES.has(statusCode)) return undefined;
  const { location } = headers;
  return Array.isArray(location) ? location[0] : location;
}

/** Returns the next request. @throws SynclineError `source-redirect-refused` */
export function followRedirect(hop: Hop, location: string): Hop {
  const { url: from, accessHeaders } = hop;
  const to = URL.parse(location, from.href);
  if (to === null || !/^https?:$/.test(to.protocol))
    throw refused(from, 'to a URL that is not http or https');
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw refused(from, `from https to ${place(to)}, which is not encrypted`);
  }
  to.hash = '';
  const before = [...hop.before, from.href];
  if (before.includes(to.href)) throw refused(from, `back to ${place(to)}`);
  if (before.length > MAX_REDIRECTIONS)
    throw refused(from, `once more, after ${MAX_REDIRECTIONS} redirects`);
  return { url: to, accessHeaders: to.origin === from.origin ? accessHeaders : {}, before };
}

function refused(from: URL, where: string): SynclineError {
  return new SynclineError(
    'source-redirect-refused',
    `${place(from)} redirects ${where}. Configure the URL that serves the registry itself`,
  );
}
