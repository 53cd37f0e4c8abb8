import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SynclineError } from '@syncline/contract';

/** Which requests may change something: suspend, sync, roll back, act in Bull Board. */
export type ControlPolicy =
  /** Requests with the token. */
  | { readonly kind: 'token'; readonly tokenDigest: Buffer }
  /** Requests from this machine, except those of web pages of other sites. */
  | { readonly kind: 'loopback' }
  | { readonly kind: 'off' };

/** The request headers that decide. */
export interface ControlHeaders {
  readonly authorization?: string | undefined;
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
  readonly forwarded?: string | undefined;
  readonly 'x-forwarded-for'?: string | string[] | undefined;
}

const LOOPBACK_ADDRESS = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;
const LOOPBACK_HOST_HEADER = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** Creates the policy: the token decides if there is one. Without a token, control needs a loopback address. */
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

/** Returns why a request may not change anything, or `undefined` if it may. */
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
      return new SynclineError('control-disabled', 'control is off', {
        expected: 'SYNCLINE_ADMIN_TOKEN_FILE to be set, since this is reachable from elsewhere',
      });
  }
}

function refuseToken(tokenDigest: Buffer, { authorization = '' }: ControlHeaders) {
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (token !== undefined && timingSafeEqual(digest(token), tokenDigest)) return undefined;
  return new SynclineError('unauthorized', 'no valid token was sent', {
    expected: 'Authorization: Bearer with the admin token',
  });
}

/**
 * A web page in a browser on this machine can send requests too. Its Origin header shows the other site. If its name
 * resolves to this machine (DNS rebinding), the Host header shows it.
 */
function refuseRemote(headers: ControlHeaders): SynclineError | undefined {
  const { host = '', origin } = headers;
  if (headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined) {
    return new SynclineError('control-disabled', 'the request came through a proxy', {
      expected: 'SYNCLINE_ADMIN_TOKEN_FILE to be set, or a direct request from this machine',
    });
  }
  if (!LOOPBACK_HOST_HEADER.test(host)) {
    return crossOrigin('the Host header names another machine');
  }
  const ownOrigins = [`http://${host}`, `https://${host}`];
  if (origin !== undefined && !ownOrigins.includes(origin)) {
    return crossOrigin('the request was made by a page of another origin');
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return crossOrigin('the request was made by a page of another site');
  }
  return undefined;
}

function crossOrigin(message: string): SynclineError {
  return new SynclineError('cross-origin-refused', message, {
    expected: 'a request to localhost, 127.0.0.1 or [::1] from a program or from our own pages',
  });
}

/** Digests have one length, so comparing them reveals nothing about the length of the token. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * Reads the token in a file, without the white space around it.
 *
 * @throws {SynclineError} `config-invalid` if the file cannot be read or has no valid token: a wrong path must never
 * allow control without a token
 */
export async function readAdminToken(path: string): Promise<string> {
  const token = (await readText(path)).trim();
  if (/^\S+$/.test(token)) return token;
  throw new SynclineError(
    'config-invalid',
    `SYNCLINE_ADMIN_TOKEN_FILE: ${path} has no token in it`,
    {
      expected: 'one word',
    },
  );
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SynclineError('config-invalid', `SYNCLINE_ADMIN_TOKEN_FILE: cannot read ${path}`, {
      cause: error,
    });
  }
}
