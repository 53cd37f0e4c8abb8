import { type Role, SynclineError } from '@syncline/contract';
import type { Access, Identify, Principal } from '@syncline/runtime';
import type { Request, RequestHandler, Response } from 'express';
import { SIGN_IN_PATH } from './sign-in.ts';

export interface GuardOptions {
  readonly access: Access;
  /** Further ways to find out who sends a request, beside tokens. */
  readonly ways: readonly Identify[];
}

/** Returns a handler that lets a request pass only if its sender has the role. */
export type Guard = (roleOf: (request: Request) => Role) => RequestHandler;

export function createGuard({ access, ways }: GuardOptions): Guard {
  const { arrivals } = access;
  return (roleOf) => async (request, response, next) => {
    // No cache may show the answer for one caller to another caller.
    response.set('cache-control', 'private, no-cache').vary('Authorization, Cookie');
    const { method, headers } = request;
    const client = arrivals.clientOf(request);
    const sender = { method, headers, client, isProxied: arrivals.isProxied(request) };
    try {
      response.locals['principal'] = await access.require(roleOf(request), sender, ways);
    } catch (error) {
      if (!canSignIn(error, request)) throw error;
      return response.redirect(
        303,
        `${SIGN_IN_PATH}?${new URLSearchParams({ next: request.originalUrl })}`,
      );
    }
    next();
  };
}

/** Returns who sent a request that has passed a guard. */
export function principalOf({ locals }: Response): Principal {
  const principal: Principal | undefined = locals['principal'];
  if (principal !== undefined) return principal;
  throw new Error('the request has not passed a guard');
}

/** Returns whether a person can repair the error by signing in. */
function canSignIn(error: unknown, request: Request): boolean {
  const isMissing = error instanceof SynclineError && error.code === 'unauthorized';
  const isPage = request.method === 'GET' && request.accepts(['json', 'html']) === 'html';
  return isMissing && isPage && request.headers.authorization === undefined;
}
