import type { IncomingHttpHeaders } from 'node:http';

type Headers = Pick<IncomingHttpHeaders, 'host' | 'origin'> & {
  readonly 'sec-fetch-site'?: string | string[] | undefined;
};

/**
 * Returns where a request comes from: from a page of ours, from a page of another origin, or from no page, as far as the
 * request shows. Programs send none of these headers. Browsers send `Sec-Fetch-Site` over https and to this machine, and
 * `Origin` with every request that may change something.
 */
export function originOf({ host = '', origin, ...headers }: Headers): 'own' | 'foreign' | 'none' {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) {
    if (site === 'same-origin') return 'own';
    // The user has typed the address or opened a bookmark.
    return site === 'none' ? 'none' : 'foreign';
  }
  if (origin === undefined) return 'none';
  return origin === `http://${host}` || origin === `https://${host}` ? 'own' : 'foreign';
}
