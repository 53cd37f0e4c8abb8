import type { IncomingHttpHeaders } from 'node:http';
import { type Clock, type Logger, type Role, SynclineError, systemClock } from '@syncline/contract';
import type { Env } from '../env/env.ts';
import { type Arrivals, createArrivals } from '../http/client-address.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import { createHostPolicy, type HostPolicy, hostName, isLoopback } from './hosts.ts';
import { originOf } from './origin.ts';
import { type AccessToken, adminToken, createTokens, includesRole, type Tokens } from './tokens.ts';

/** Someone who sends requests. */
export interface Principal {
  /** The name of the token; `local` for a program on this machine without a token. */
  readonly name: string;
  readonly role: Role;
  readonly via: 'token' | 'session' | 'local';
}

/** The parts of an HTTP request that decide who sends it. */
export interface AccessRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** The address for which failed attempts are counted. */
  readonly client: string;
  /** Whether the request came from a known proxy. Even without headers that say so, its sender is then elsewhere. */
  readonly isProxied?: boolean;
}

/**
 * A way to find out who sends a request. Returns `undefined` if the request does not use this way.
 *
 * @throws SynclineError if the request uses this way, but its credential is wrong
 */
export type Identify = (request: AccessRequest) => Promise<Principal | undefined>;

/** Decides who may do what over HTTP. Each process has one, which its api and its ops server share. */
export interface Access {
  readonly arrivals: Arrivals;
  readonly tokens: Tokens;
  readonly attempts: Attempts;
  readonly hosts: HostPolicy;
  /**
   * Returns who sends the request.
   *
   * @param ways ways in addition to bearer tokens and to requests from this machine
   * @throws SynclineError if the role of the sender does not include `role`. The code says why
   */
  require(role: Role, request: AccessRequest, ways?: readonly Identify[]): Promise<Principal>;
  /**
   * Returns the token with this text. Slows down a client that sends wrong tokens.
   *
   * @throws SynclineError `unauthorized`, or `too-many-attempts`
   */
  checkToken(text: string, client: string): Promise<AccessToken>;
}

export interface AccessOptions {
  readonly env: Pick<Env, 'host' | 'hosts' | 'adminTokenFile' | 'trustedProxies'>;
  readonly logger: Logger;
  readonly clock?: Pick<Clock, 'monotonic'>;
}

export function createAccess({ env, logger, clock = systemClock }: AccessOptions): Access {
  const tokens = createTokens({ logger, clock });
  const attempts = createAttempts({ logger, clock });
  const { adminTokenFile, host } = env;
  if (adminTokenFile !== undefined) tokens.follow(() => [adminToken(adminTokenFile)]);

  const checkToken: Access['checkToken'] = async (text, client) => {
    // From here, nothing waits, so that requests at the same time are counted one after the other.
    const token = await tokens.find(text);
    attempts.admit(client);
    if (token === undefined) {
      attempts.failed(client);
      throw unauthorized('the token is not valid');
    }
    attempts.succeeded(client);
    return token;
  };
  const byToken: Identify = async ({ headers: { authorization = '' }, client }) => {
    const [, text] = /^Bearer(?: +(.*))?$/i.exec(authorization) ?? [];
    if (!/^Bearer\b/i.test(authorization)) return undefined;
    const { name, role } = await checkToken(text?.trim() ?? '', client);
    return { name, role, via: 'token' };
  };
  const isLoopbackOnly = isLoopback(host);
  const byPlace: Identify = async (request) =>
    isLoopbackOnly && isLocal(request) ? { name: 'local', role: 'read', via: 'local' } : undefined;

  return {
    arrivals: createArrivals(env),
    tokens,
    attempts,
    hosts: createHostPolicy(env),
    checkToken,
    require: async (role, request, ways = []) => {
      for (const identify of [byToken, ...ways, byPlace]) {
        const principal = await identify(request);
        if (principal === undefined) continue;
        if (includesRole(principal.role, role)) return principal;
        if (principal.via !== 'local') throw forbidden(principal);
      }
      throw refusal(role, request, { isLoopbackOnly, isOn: tokens.isConfigured(role) });
    },
  };
}

const FORWARDED_BY = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
];

function isForwarded({ headers, isProxied = false }: AccessRequest): boolean {
  return isProxied || FORWARDED_BY.some((name) => headers[name] !== undefined);
}

/** Returns whether a program or a person on this machine sends the request, and not a web page of another origin. */
function isLocal(request: AccessRequest): boolean {
  const { headers } = request;
  return (
    isLoopback(hostName(headers.host)) && originOf(headers) !== 'foreign' && !isForwarded(request)
  );
}

interface Situation {
  readonly isLoopbackOnly: boolean;
  /** Whether a token with the needed role is configured. */
  readonly isOn: boolean;
}

function refusal(role: Role, request: AccessRequest, { isLoopbackOnly, isOn }: Situation) {
  if (isLoopbackOnly && originOf(request.headers) === 'foreign') return crossOrigin();
  if (isOn) return unauthorized('the request has no token');
  if (role === 'operate') {
    return new SynclineError(
      'control-disabled',
      'control over HTTP is off, because no token with the role operate is configured. Set SYNCLINE_ADMIN_TOKEN_FILE, or use the command line',
    );
  }
  const why = isLoopbackOnly
    ? 'the request does not come directly from this machine'
    : 'the process listens on an address that other machines can reach';
  return new SynclineError(
    'read-disabled',
    `${why}, and no token is configured. Set SYNCLINE_ADMIN_TOKEN_FILE or access.tokens, and send the token`,
  );
}

function unauthorized(problem: string): SynclineError {
  return new SynclineError(
    'unauthorized',
    `${problem}. Send the header Authorization: Bearer <token>`,
  );
}

function forbidden({ name, role }: Principal): SynclineError {
  return new SynclineError(
    'forbidden',
    `${name} has the role ${role}, which does not permit this. Use a token with the role operate`,
  );
}

/** Returns the error for a request of a web page that is not ours. */
export function crossOrigin(): SynclineError {
  return new SynclineError(
    'cross-origin-refused',
    'a page of another origin sent the request. Send the request from a program, or from a page of this api',
  );
}
