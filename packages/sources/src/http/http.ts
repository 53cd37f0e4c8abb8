import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, SynclineError } from '@syncline/contract';
import type { Dispatcher } from 'undici';
import type { CredentialDirs } from '../credentials/credential-dirs.ts';
import { type Access, readAccessHeaders } from '../credentials/credentials.ts';
import { GrowingBytes, type OwnedBytes } from '../memory/growing-bytes.ts';
import type { MemoryAccount } from '../memory/memory-account.ts';
import type { ConnectionGuard } from '../network/address-guard.ts';
import { Outgoing, type ProxyOptions } from '../network/outgoing.ts';
import type { RequestBudgets } from '../network/request-budgets.ts';
import { withSocket } from '../network/socket-of-request.ts';
import { orAbort, type SourceContext, type UpstreamUsage } from '../source.ts';
import { connectionError, readBody, statusError, type TakeChunk } from './http-body.ts';
import { place } from './place.ts';
import { RequestPace } from './request-pace.ts';

const DEFAULT_USER_AGENT = 'syncline (+https://github.com/syncline/syncline)';
/**
 * If an unwanted body has at most this size, the client reads it to its end, so that the connection can be
 * used again.
 */
const MAX_DUMPED_BYTES = 64 * 1024;

export interface HttpRequest {
  readonly url: URL;
  /**
   * The timeout of each request, and of each redirected request. It excludes the waits for a request budget and for
   * memory.
   */
  readonly timeoutMs: number;
  /** The largest size of the body. It applies to the compressed and to the decompressed size. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly upstream: UpstreamUsage;
  /** The memory of the run. */
  readonly memory: MemoryAccount;
  /** The headers and the token of the config. Only the origin of the URL gets them. */
  readonly access?: Access;
  /** Receives the credentials that the client reads for `access`. */
  readonly credentials?: Set<string>;
  /** The `Accept` header. Default: JSON. */
  readonly accept?: string;
  /** Request headers such as `if-none-match`. With these headers, status 304 is a valid response. */
  readonly conditions?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  /** Whether the response had a body. False for status 304. */
  readonly isModified: boolean;
  readonly headers: Dispatcher.ResponseData['headers'];
}

export interface HttpClientOptions {
  /** Returns the user agent. Called for each request, because the config may change. */
  readonly userAgent: () => string | undefined;
  readonly guard: ConnectionGuard;
  /** Default: no proxies. */
  readonly proxies?: ProxyOptions;
  /** The request budgets. Default: no host has a budget. */
  readonly budgets?: RequestBudgets | undefined;
  readonly credentialDirs?: CredentialDirs;
}

type Response = Dispatcher.ResponseData;

/** One request with its response. */
interface Exchange extends HttpRequest {
  readonly hop: Hop;
  readonly pace: RequestPace;
  readonly take: TakeChunk;
}

/**
 * Downloads complete bodies from upstreams, within limits. The client keeps connections open, so create one
 * per process.
 */
export class HttpClient {
  readonly #outgoing: Outgoing;
  readonly #userAgent: () => string;
  readonly #budgets: RequestBudgets | undefined;
  readonly #credentialDirs: CredentialDirs;

  constructor({ userAgent, guard, proxies = {}, budgets, credentialDirs }: HttpClientOptions) {
    this.#credentialDirs = credentialDirs;
    this.#outgoing = new Outgoing({ guard, proxies });
    this.#userAgent = () => userAgent() ?? DEFAULT_USER_AGENT;
    this.#budgets = budgets;
  }

  /**
   * Returns the body of a response with status 200. The caller must dispose of it. Follows redirects, and checks each target like a
   * configured URL.
   *
   * @throws SynclineError as {@link read} does
   */
  async get(request: Omit<HttpRequest, 'conditions'>): Promise<OwnedBytes> {
    const body = await GrowingBytes.open(request.memory, request.signal);
    try {
      await this.read(request, (chunk) => body.append(chunk));
      return body.finish();
    } catch (error) {
      body[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Passes the body of a response with status 200 to `take`, chunk by chunk.
   *
   * @throws SynclineError `source-http-status`, `source-rate-limited`, `source-timeout`, `source-too-slow`,
   *   `source-too-large`, `source-unreachable`, `source-not-json` (an encoding other than gzip),
   *   `source-address-refused`, `source-redirect-refused`, `source-credential-unreadable`,
   *   `source-credential-refused`; the reason of an aborted signal
   */
  async read(request: HttpRequest, take: TakeChunk): Promise<HttpAnswer> {
    const { access = {}, credentials } = request;
    const accessHeaders = await readAccessHeaders(access, credentials, this.#credentialDirs);
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
    const { timeoutMs, signal, memory } = request;
    const { url } = hop;
    using _place = await this.#budgets?.take(url.hostname, { signal, holdMs: timeoutMs });
    using pace = new RequestPace({ url, timeoutMs });
    try {
      return await memory.receive(() => this.#exchange({ ...request, hop, pace, take }));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (memory.signal.aborted) throw memory.signal.reason;
      if (error instanceof SynclineError) throw error;
      if (pace.signal.aborted) throw pace.signal.reason;
      throw connectionError(url, error);
    }
  }

  async #exchange({
    hop,
    pace,
    take,
    ...request
  }: Exchange): Promise<HttpAnswer | { readonly location: string }> {
    const { maxBytes, signal, upstream, memory } = request;
    const { url } = hop;
    const any = AbortSignal.any([signal, memory.signal, pace.signal]);
    any.throwIfAborted();
    upstream.requests += 1;
    // undici ignores an abort until it is connected. `orAbort` does not wait for the connection.
    const response = await orAbort(this.#send(request, { hop, pace, signal: any }), any);
    const location = redirectTarget(response);
    const isUnmodified = response.statusCode === 304 && request.conditions !== undefined;
    if (response.statusCode !== 200) await dump(response, any);
    if (location !== undefined) return { location };
    if (isUnmodified) return { isModified: false, headers: response.headers };
    if (response.statusCode !== 200) throw statusError(url, response);
    const counted = (bytes: number) => memory.received(bytes);
    await readBody(response, { url, maxBytes, upstream, pace, counted, take });
    return { isModified: true, headers: response.headers };
  }

  async #send(
    request: HttpRequest,
    { hop, pace, signal }: Pick<Exchange, 'hop' | 'pace' | 'signal'>,
  ): Promise<Response> {
    const { url, accessHeaders } = hop;
    const dispatcher = await this.#outgoing.dispatcherFor(url);
    const options: Dispatcher.RequestOptions = {
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
    };
    return withSocket(
      (socket) => pace.startSocket(socket),
      () => dispatcher.request(options),
    );
  }
}

/**
 * Reads an unwanted body to its end if only a few bytes are left, so that the connection can be used again.
 */
async function dump({ body }: Response, signal: AbortSignal): Promise<void> {
  await body.dump({ limit: MAX_DUMPED_BYTES, signal }).catch(() => {});
  signal.throwIfAborted();
}

/**
 * The maximum number of tries of a request in one run. If the last run of the registry failed, the run
 * tries only once.
 */
const ATTEMPTS = 3;
const FIRST_RETRY_DELAY_MS = 1_000;
/** A longer `Retry-After` ends the run and delays the next run. */
const LONGEST_WAIT_IN_RUN_MS = 30_000;

/**
 * Retries a request a few times after temporary errors, with growing delays.
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

/** Returns how long to wait before the next try, or `undefined` if a retry is useless. */
function retryDelayMs(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof SynclineError)) return undefined;
  const isRefused = error.code === 'source-http-status' && (error.status ?? 0) < 500;
  if (isRefused || !ERRORS[error.code].retry) return undefined;
  const delayMs = error.retryAfterMs ?? FIRST_RETRY_DELAY_MS * 2 ** (attempt - 1);
  return delayMs > LONGEST_WAIT_IN_RUN_MS ? undefined : delayMs;
}

const MAX_REDIRECTIONS = 5;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** One request in a chain of redirects. */
export interface Hop {
  readonly url: URL;
  /** The headers of the config. After a redirect to another origin, all later requests omit them. */
  readonly accessHeaders: Readonly<Record<string, string>>;
  /** The URLs that redirected to this URL. */
  readonly before: readonly string[];
}

/** Returns the target of a redirect, or `undefined` if the response is not a redirect. */
export function redirectTarget({
  statusCode,
  headers,
}: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>): string | undefined {
  if (!REDIRECT_STATUSES.has(statusCode)) return undefined;
  const { location } = headers;
  return Array.isArray(location) ? location[0] : location;
}

/** Returns the request that follows a redirect. @throws SynclineError `source-redirect-refused` */
export function followRedirect(hop: Hop, location: string): Hop {
  const { url: from, accessHeaders } = hop;
  const to = URL.parse(location, from.href);
  if (to === null || !/^https?:$/.test(to.protocol))
    throw refused(from, 'to a URL that is neither http nor https');
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw refused(from, `from https to ${place(to)}, which is not encrypted`);
  }
  to.hash = '';
  const before = [...hop.before, from.href];
  if (before.includes(to.href)) throw refused(from, `back to ${place(to)}`);
  if (before.length > MAX_REDIRECTIONS)
    throw refused(from, `again, after ${MAX_REDIRECTIONS} redirects`);
  return { url: to, accessHeaders: to.origin === from.origin ? accessHeaders : {}, before };
}

function refused(from: URL, where: string): SynclineError {
  return new SynclineError(
    'source-redirect-refused',
    `${place(from)} redirects ${where}. Set the URL in the config to the final URL`,
  );
}
