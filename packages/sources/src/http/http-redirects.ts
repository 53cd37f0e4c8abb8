import { SynclineError } from '@syncline/contract';
import type { Dispatcher } from 'undici';
import { place } from './http-errors.ts';

const MAX_REDIRECTIONS = 5;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** One of the requests that it takes to get to a body. */
export interface Hop {
  readonly url: URL;
  /** What the config has us send. Dropped for good as soon as another origin is asked. */
  readonly accessHeaders: Readonly<Record<string, string>>;
  /** The URLs that led here. */
  readonly before: readonly string[];
}

/** Where an answer sends us; `undefined` where it is no redirect. */
export function redirectTarget({
  statusCode,
  headers,
}: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>): string | undefined {
  if (!REDIRECT_STATUSES.has(statusCode)) return undefined;
  const { location } = headers;
  return Array.isArray(location) ? location[0] : location;
}

/** @throws SynclineError `source-redirect-refused` where we do not go there */
export function followRedirect(hop: Hop, location: string): Hop {
  const { url: from, accessHeaders } = hop;
  const to = URL.parse(location, from.href);
  if (to === null || !/^https?:$/.test(to.protocol)) throw refused(from, 'elsewhere than to http');
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw refused(from, `to ${place(to)}, which is not encrypted`);
  }
  to.hash = '';
  const before = [...hop.before, from.href];
  if (before.includes(to.href)) throw refused(from, `back to ${place(to)}`);
  if (before.length > MAX_REDIRECTIONS) throw refused(from, `on, after ${MAX_REDIRECTIONS} others`);
  return { url: to, accessHeaders: to.origin === from.origin ? accessHeaders : {}, before };
}

function refused(from: URL, where: string): SynclineError {
  return new SynclineError('source-redirect-refused', `${place(from)} redirects ${where}`, {
    expected: `at most ${MAX_REDIRECTIONS} redirects, each on to another http or https URL`,
  });
}
