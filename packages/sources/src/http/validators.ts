import type { Dispatcher } from 'undici';
import { z } from 'zod';

/** The reliable marks by which an upstream tells one state from another. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** The validators of a state, and the SHA-256 of its bytes, in hex. */
export interface UrlRevision extends Validators {
  readonly digest: string;
}

/** Longer than any real one. The status stores it. */
const MAX_VALIDATOR_LENGTH = 500;
/** Quoted, as the standard says: `*` or a list would match anything. */
const ETAG = /^(W\/)?"[\x21\x23-\x7e]*"$/;
/**
 * Times of modification have whole seconds, and clocks differ. A file that was modified less than this
 * before it was sent may change again without another time.
 */
const SETTLED_AFTER_MS = 60_000;

const revisionSchema = z.strictObject({
  digest: z.string(),
  etag: z.string().regex(ETAG).optional(),
  lastModified: z.string().optional(),
});

/** Returns `undefined` for a text of another kind. */
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

/** Returns the headers that ask for a changed body only; `undefined` without validators. */
export function conditionsOf({
  etag,
  lastModified,
}: Validators): Readonly<Record<string, string>> | undefined {
  // Not both: some servers answer 304 if either matches.
  if (etag !== undefined) return { 'if-none-match': etag };
  return lastModified === undefined ? undefined : { 'if-modified-since': lastModified };
}

/** Returns whether a 304 is about the known state. A cache may have confused it with another. */
export function confirms(known: Validators, headers: Headers): boolean {
  const etag = single(headers['etag']);
  if (etag === undefined || known.etag === undefined) return true;
  return opaquePart(etag) === opaquePart(known.etag);
}

/** Returns a tag without the marks that servers add when they compress. */
function opaquePart(etag: string): string {
  return etag.replace(/^W\//, '').replace(/[-;]+gzip"$/, '"');
}

function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header.length <= MAX_VALIDATOR_LENGTH ? header : undefined;
}

function isSettled(lastModified: string, date: string | string[] | undefined): boolean {
  // Both times are of the upstream's clock. An invalid one gives NaN, which is never greater.
  return Date.parse(single(date) ?? '') - Date.parse(lastModified) > SETTLED_AFTER_MS;
}
