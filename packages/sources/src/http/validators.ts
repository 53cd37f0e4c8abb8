import type { Dispatcher } from 'undici';
import { z } from 'zod';

/** The headers that reliably identify a state of the upstream. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** The validators of a state, and the SHA-256 of its body, in hex. */
export interface UrlRevision extends Validators {
  readonly digest: string;
}

/** Longer than any real validator. The limit exists because the status stores validators. */
const MAX_VALIDATOR_LENGTH = 500;
/** The standard requires quotes. Without them, `*` or a list would match any state. */
const ETAG = /^(W\/)?"[\x21\x23-\x7e]*"$/;
/**
 * Modification times have whole seconds, and clocks differ. If a file was modified less than this long
 * before it was sent, it may change again with the same modification time.
 */
const SETTLED_AFTER_MS = 60_000;

const revisionSchema = z.strictObject({
  digest: z.string(),
  etag: z.string().regex(ETAG).optional(),
  lastModified: z.string().optional(),
});

/** Parses a revision. Returns `undefined` if the text has another format. */
export function parseRevision(text: string): UrlRevision | undefined {
  try {
    return revisionSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export function formatRevision({ digest, etag, lastModified }: UrlRevision): string {
  return JSON.stringify({ digest, etag, lastModified });
}

type Headers = Dispatcher.ResponseData['headers'];

export function validatorsOf(headers: Headers): Validators {
  const etag = single(headers['etag']);
  const lastModified = single(headers['last-modified']);
  return {
    ...(etag !== undefined && ETAG.test(etag) && { etag }),
    ...(lastModified !== undefined && isSettled(lastModified, headers['date']) && { lastModified }),
  };
}

/**
 * Returns the headers that request the body only if it has changed. Returns `undefined` without
 * validators.
 */
export function conditionsOf({
  etag,
  lastModified,
}: Validators): Readonly<Record<string, string>> | undefined {
  // Sends only one condition: some servers return 304 if either of two conditions matches.
  if (etag !== undefined) return { 'if-none-match': etag };
  return lastModified === undefined ? undefined : { 'if-modified-since': lastModified };
}

/** Returns whether a 304 refers to the known state. A cache may return a 304 for another state. */
export function confirms(known: Validators, headers: Headers): boolean {
  const etag = single(headers['etag']);
  if (etag === undefined || known.etag === undefined) return true;
  return opaquePart(etag) === opaquePart(known.etag);
}

/** Returns an ETag without the markers that servers add when they compress a body. */
function opaquePart(etag: string): string {
  return etag.replace(/^W\//, '').replace(/[-;]+gzip"$/, '"');
}

function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header.length <= MAX_VALIDATOR_LENGTH ? header : undefined;
}

function isSettled(lastModified: string, date: string | string[] | undefined): boolean {
  // Both times come from the upstream's clock. An invalid time gives NaN, which is never greater.
  return Date.parse(single(date) ?? '') - Date.parse(lastModified) > SETTLED_AFTER_MS;
}
