import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SynclineError } from '@syncline/contract';

/** Decides which requests may change something: suspend, sync, roll back, or act in Bull Board. */
export type ControlPolicy =
  /** Permits requests with the token. */
  | { readonly kind: 'token'; readonly tokenDigest: Buffer }
  /** Permits requests from this machine, except those from web pages of other sites. */
  | { readonly kind: 'loopback' }
  | { readonly kind: 'off' };

/** The request headers on which the decision depends. */
export interface ControlHeaders {
  readonly authorization?: string | undefined;
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
  readonly forwarded?: string | undefined;
  readonly 'x-forwarded-for'?: string | string[] | undefined;
}

/** Resolvers may look up a name such as `127.999.1.1`, which is no address, and its owner could point it here. */
const LOOPBACK_IPV4 = String.raw`127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}`;
const LOOPBACK_ADDRESS = new RegExp(`^(localhost|${LOOPBACK_IPV4}|::1)$`, 'i');
const LOOPBACK_HOST_HEADER = new RegExp(
  String.raw`^(localhost|${LOOPBACK_IPV4}|\[::1\])(:\d{1,5})?$`,
  'i',
);

/**
 * Creates the policy. If there is a token, requests need it. Without a token, the api must listen on a loopback
 * address.
 */
export function createControlPolicy({
  host,
  token,
}: {
  host: string;
  token?: string | undefined;
}): ControlPolicy {
  if (token !== undefined) return { kind: 'token', tokenDigest: digest(token) };
  return LOOPBACK_ADDRESS.test(host) ? { kind: 'loopback' } : { kind: 'off' };
}

/** Returns an error if a request may not change anything, or `undefined` if it may. */
export function refuseControl(
  policy: ControlPolicy,
  headers: ControlHeaders,
): SynclineError | undefined {
  switch (policy.kind) {
    case 'token':
      return refuseToken(policy.tokenDigest, headers);
    case 'loopback':
      return refuseRemote(headers);
    case 'off':
      return new SynclineError(
        'control-disabled',
        'control is off, because the api listens on an address that other machines can reach. Set SYNCLINE_ADMIN_TOKEN_FILE, or set HOST to a loopback address',
      );
  }
}

function refuseToken(tokenDigest: Buffer, { authorization = '' }: ControlHeaders) {
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (token !== undefined && timingSafeEqual(digest(token), tokenDigest)) return undefined;
  const advice = 'Send the header Authorization: Bearer <admin token>';
  return new SynclineError('unauthorized', `the request has no valid token. ${advice}`);
}

/**
 * Refuses requests that come from elsewhere. A web page in a browser on this machine can send requests too. The
 * Origin header then shows the site of the page. If the name of that site resolves to this machine (DNS rebinding),
 * the Host header shows the name.
 */
function refuseRemote(headers: ControlHeaders): SynclineError | undefined {
  const { host = '', origin } = headers;
  if (headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined) {
    return new SynclineError(
      'control-disabled',
      'the request came through a proxy. Set SYNCLINE_ADMIN_TOKEN_FILE, or send the request without a proxy, from the machine of the api',
    );
  }
  if (!LOOPBACK_HOST_HEADER.test(host)) {
    return crossOrigin('the Host header names another machine');
  }
  const ownOrigins = [`http://${host}`, `https://${host}`];
  if (origin !== undefined && !ownOrigins.includes(origin)) {
    return crossOrigin('a page of another origin sent the request');
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return crossOrigin('a page of another site sent the request');
  }
  return undefined;
}

function crossOrigin(message: string): SynclineError {
  const advice =
    'Send the request to localhost, 127.0.0.1 or [::1], from a program or a page of this api';
  return new SynclineError('cross-origin-refused', `${message}. ${advice}`);
}

/**
 * Returns a digest of a token. All digests have the same length, so comparing them does not reveal the length of the
 * token.
 */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * Reads the token from a file, without surrounding white space.
 *
 * @throws {SynclineError} `config-invalid` if the file cannot be read or has no valid token: a wrong path must never
 *   allow control without a token
 */
export async function readAdminToken(path: string): Promise<string> {
  const token = (await readText(path)).trim();
  if (/^\S+$/.test(token)) return token;
  throw new SynclineError(
    'config-invalid',
    `SYNCLINE_ADMIN_TOKEN_FILE: ${path} contains no valid token. Put one word without spaces into it`,
  );
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SynclineError(
      'config-invalid',
      `SYNCLINE_ADMIN_TOKEN_FILE: cannot read ${path}. Check the path and the permissions of the file`,
      { cause: error },
    );
  }
}
