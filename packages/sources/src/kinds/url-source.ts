import { createHash } from 'node:crypto';
import type { Access } from '../credentials/credentials.ts';
import { type HttpClient, withRetries } from '../http/http.ts';
import {
  conditionsOf,
  confirms,
  formatRevision,
  parseRevision,
  type UrlRevision,
  type Validators,
  validatorsOf,
} from '../http/validators.ts';
import type { Probe, Source, SourceContext, TakeBody, WholeReading } from '../source.ts';

/** As for a file on the disk. */
const MAX_BODY_BYTES = 512 * 1024 * 1024;
/** Checks are many at once: what is larger is only hashed by them, and read again by those that need it. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;
const ACCEPT = 'application/json, application/yaml;q=0.9, text/plain;q=0.8, */*;q=0.5';

export interface UrlSourceOptions {
  readonly url: string;
  /** Of each request. */
  readonly timeoutMs: number;
  /** Default: nothing is sent that lets us in. */
  readonly access?: Access;
  readonly http: HttpClient;
}

interface Download {
  readonly revision: UrlRevision;
  /** `undefined` where it was not to be kept. */
  readonly bytes: Uint8Array | undefined;
}

/** A registry in a file behind a URL. Its revision has the validators of its answer, and a digest. */
export class UrlSource implements Source {
  readonly #options: UrlSourceOptions;
  #read: Download | undefined;
  #failure: unknown;

  constructor(options: UrlSourceOptions) {
    this.#options = options;
  }

  /** Asks for the body unless it is the one that is known; what comes is compared by its digest. */
  async probe(known: string, context: SourceContext): Promise<Probe> {
    const revision = parseRevision(known);
    if (revision === undefined) return { state: 'changed' };
    try {
      const download = await this.#downloadUnless(revision, context);
      if (download === 'unmodified') return { state: 'unchanged' };
      if (download.revision.digest === revision.digest) {
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
    // A failing upstream is asked once a run.
    if (this.#failure !== undefined && context.status.consecutiveFailures > 0) throw this.#failure;
    const read = this.#read;
    // The bytes are given away: whoever fetches again needs others.
    this.#read = undefined;
    const { revision, bytes } = await (read?.bytes === undefined
      ? withRetries(context, () => this.#download(context, MAX_BODY_BYTES))
      : read);
    await take(bytes ?? new Uint8Array(), { syntax: this.#syntax() });
    return { kind: 'whole', revision: formatRevision(revision) };
  }

  async #downloadUnless(
    known: Validators,
    context: SourceContext,
  ): Promise<Download | 'unmodified'> {
    const conditions = conditionsOf(known);
    if (conditions === undefined) return this.#download(context, MAX_KEPT_BYTES);
    const body = new Collector(MAX_KEPT_BYTES);
    const { isModified, headers } = await this.#options.http.read(
      { ...this.#request(context), conditions },
      (chunk) => body.add(chunk),
    );
    if (isModified) return body.finish(validatorsOf(headers));
    return confirms(known, headers) ? 'unmodified' : this.#download(context, MAX_KEPT_BYTES);
  }

  async #download(context: SourceContext, maxKeptBytes: number): Promise<Download> {
    const body = new Collector(maxKeptBytes);
    const { headers } = await this.#options.http.read(this.#request(context), (chunk) =>
      body.add(chunk),
    );
    return body.finish(validatorsOf(headers));
  }

  #request({ signal, upstream, credentials }: SourceContext) {
    const { url, timeoutMs, access = {} } = this.#options;
    return {
      url: new URL(url),
      timeoutMs,
      access,
      accept: ACCEPT,
      maxBytes: MAX_BODY_BYTES,
      signal,
      upstream,
      credentials,
    };
  }

  #syntax(): 'json' | 'yaml' {
    return /\.ya?ml$/i.test(new URL(this.#options.url).pathname) ? 'yaml' : 'json';
  }
}

/** Hashes a body as it comes, and keeps it if it is small enough. */
class Collector {
  readonly #hash = createHash('sha256');
  readonly #maxKeptBytes: number;
  #chunks: Buffer[] | undefined = [];
  #size = 0;

  constructor(maxKeptBytes: number) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#size += chunk.length;
    if (this.#size > this.#maxKeptBytes) this.#chunks = undefined;
    this.#chunks?.push(chunk);
  }

  finish(validators: Validators): Download {
    const bytes = this.#chunks && Buffer.concat(this.#chunks, this.#size);
    return { revision: { ...validators, digest: this.#hash.digest('hex') }, bytes };
  }
}
