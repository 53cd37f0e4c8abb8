import { createHash } from 'node:crypto';
import type { Access } from '../credentials/credentials.ts';
import { type HttpAnswer, type HttpClient, type HttpRequest, withRetries } from '../http/http.ts';
import {
  conditionsOf,
  confirms,
  formatRevision,
  parseRevision,
  type UrlRevision,
  type Validators,
  validatorsOf,
} from '../http/validators.ts';
import { GrowingBytes, type OwnedBytes } from '../memory/growing-bytes.ts';
import {
  MAX_BODY_BYTES,
  MAX_KEPT_BYTES,
  type Probe,
  type Source,
  type SourceContext,
  type TakeBody,
  type WholeReading,
} from '../source.ts';

const ACCEPT = 'application/json, application/yaml;q=0.9, text/plain;q=0.8, */*;q=0.5';

export interface UrlSourceOptions {
  readonly url: string;
  /** The timeout of each request. */
  readonly timeoutMs: number;
  /** The headers and the token for the upstream. Default: none. */
  readonly access?: Access;
  readonly http: HttpClient;
}

interface Download {
  readonly revision: UrlRevision;
  /** `undefined` if the body is too large to keep. */
  readonly body: OwnedBytes | undefined;
}

/**
 * Reads a registry from a file behind a URL. The revision contains the validators of the response and the
 * digest of the body.
 */
export class UrlSource implements Source {
  readonly #options: UrlSourceOptions;
  #read: Download | undefined;
  #failure: unknown;

  constructor(options: UrlSourceOptions) {
    this.#options = options;
  }

  /** Requests the body only if it has changed, and compares the digest of a new body with the known one. */
  async probe(known: string, context: SourceContext): Promise<Probe> {
    const revision = parseRevision(known);
    if (revision === undefined) return { state: 'changed' };
    try {
      const download = await this.#downloadUnless(revision, context);
      if (download === undefined) return { state: 'unchanged' };
      if (download.revision.digest === revision.digest) {
        download.body?.[Symbol.dispose]();
        const newer = formatRevision(download.revision);
        return { state: 'unchanged', ...(newer !== known && { revision: newer }) };
      }
      this.#read = download;
      return { state: 'changed' };
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async fetch(
    take: TakeBody,
    context: SourceContext,
  ): Promise<WholeReading & { revision: string }> {
    // If the last run failed, this run asks the upstream only once.
    if (this.#failure !== undefined && context.status.consecutiveFailures > 0) throw this.#failure;
    const read = this.#read;
    // `take` may transfer the bytes to a thread, so the next fetch must download them again.
    this.#read = undefined;
    const { revision, ...download } = await (read?.body === undefined
      ? withRetries(context, () => this.#download(context, { maxKeptBytes: MAX_BODY_BYTES }))
      : read);
    using body = download.body;
    await take(body?.bytes ?? new Uint8Array(), { syntax: this.#syntax() });
    return { kind: 'whole', revision: formatRevision(revision) };
  }

  /** Downloads the body unless the upstream confirms that the known state has not changed. */
  async #downloadUnless(known: Validators, context: SourceContext): Promise<Download | undefined> {
    const limits = { maxKeptBytes: MAX_KEPT_BYTES };
    const conditions = conditionsOf(known);
    if (conditions === undefined) return this.#download(context, limits);
    const answer = await this.#download(context, { ...limits, conditions });
    if (answer.isModified) return answer;
    return confirms(known, answer.headers) ? undefined : this.#download(context, limits);
  }

  /** Hashes the body while it arrives, and keeps the body if it is small enough. */
  async #download(
    { signal, upstream, memory, credentials }: SourceContext,
    { maxKeptBytes, ...conditional }: { maxKeptBytes: number } & Pick<HttpRequest, 'conditions'>,
  ): Promise<Download & HttpAnswer> {
    const { url, timeoutMs, access = {}, http } = this.#options;
    const limits = { timeoutMs, maxBytes: MAX_BODY_BYTES };
    const request = { url: new URL(url), access, accept: ACCEPT, ...limits, ...conditional };
    const hash = createHash('sha256');
    const kept = await GrowingBytes.open(memory, signal);
    let size = 0;
    try {
      const answer = await http.read(
        { ...request, signal, upstream, memory, credentials },
        (chunk) => {
          hash.update(chunk);
          size += chunk.length;
          if (size <= maxKeptBytes) return kept.append(chunk);
          kept[Symbol.dispose]();
          return undefined;
        },
      );
      const body = size <= maxKeptBytes ? kept.finish() : undefined;
      const revision = { ...validatorsOf(answer.headers), digest: hash.digest('hex') };
      return { ...answer, revision, body };
    } catch (error) {
      kept[Symbol.dispose]();
      throw error;
    }
  }

  #syntax(): 'json' | 'yaml' {
    return /\.ya?ml$/i.test(new URL(this.#options.url).pathname) ? 'yaml' : 'json';
  }
}
