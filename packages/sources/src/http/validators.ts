import type { Dispatcher } from 'undici';
import { z } from 'zod';

/** What an upstream gives to tell one state from another, as far as it can be relied on. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** What is kept of a state: its validators, and the SHA-256 of its bytes, in hex. */
export interface UrlRevision extends Validators {
  readonly digest: string;
}

/** Longer than any real one; it is kept in the status. */
const MAX_VALIDATOR_LENGTH = 500;
/** Quoted, as the standard has it: `*`, or a list, would match whatever is there. */
const ETAG = /^(W\/)?"[\x21\x23-\x7e]*"$/;
/**
 * A time of modification has whole seconds, and clocks differ: what was modified less than this before it
 * was sent may change once more without another time.
 */
const SETTLED_AFTER_MS = 60_000;

const revisionSchema = z.strictObject({
  digest: z.string(),
  etag: z.string().regex(ETAG).optional(),
  lastModified: z.string().optional(),
});

/** `undefined` for a text of another kind. */
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

/** The headers that ask for a body only if there is another; `undefined` where nothing tells. */
export function conditionsOf({
  etag,
  lastModified,
}: Validators): Readonly<Record<string, string>> | undefined {
  // Not both: some servers answer 304 if either of them fits.
  if (etag !== undefined) return { 'if-none-match': etag };
  return lastModified === undefined ? undefined : { 'if-modified-since': lastModified };
}

/** Whether a 304 speaks of the state that was asked about, or of another that a cache took for it. */
export function confirms(known: Validators, headers: Headers): boolean {
  const etag = single(headers['etag']);
  if (etag === undefined || known.etag === undefined) return true;
  return opaquePart(etag) === opaquePart(known.etag);
}

/** What servers change of a tag when they compress is left out. */
function opaquePart(etag: string): string {
  return etag.replace(/^W\//, '').replace(/[-;]+gzip"$/, '"');
}

function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header.length <= MAX_VALIDATOR_LENGTH ? header : undefined;
}

function isSettled(lastModified: string, date: string | string[] | undefined): boolean {
  // Both by the upstream's clock. NaN, where either is no time, is not above anything.
  return Date.parse(single(date) ?? '') - Date.parse(lastModified) > SETTLED_AFTER_MS;
}
