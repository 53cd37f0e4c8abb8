import { createHash } from 'node:crypto';
import { ERRORS, SynclineError } from '@syncline/contract';
import { type Access, crossOrigin, originOf, type Principal } from '@syncline/runtime';
import { errorHeaders } from '@syncline/serving';
import express, { type Request, type Response, Router } from 'express';
import { SESSION_COOKIE, SESSION_LIFETIME_MS, type Sessions } from './sessions.ts';

export const SIGN_IN_PATH = '/sign-in';
export const SIGN_OUT_PATH = '/sign-out';
const DEFAULT_NEXT = '/queues';

export interface SignInOptions {
  readonly access: Access;
  readonly sessions: Sessions;
}

/** Codes that the form shows. Other errors get the same answer as everywhere. */
const SHOWN: ReadonlySet<string> = new Set(['unauthorized', 'too-many-attempts']);

/** Creates the routes at which a browser signs in with a token, and signs out. The pages need no script. */
export function createSignIn({ access, sessions }: SignInOptions): Router {
  const { arrivals } = access;
  const router = Router({ caseSensitive: true });
  const cookieFor = (request: Request) =>
    ({ httpOnly: true, sameSite: 'strict', secure: arrivals.isHttps(request), path: '/' }) as const;
  const sessionOf = ({ method, headers }: Request) =>
    sessions.identify({ method, headers, client: '' });

  router.get(SIGN_IN_PATH, async (request, response) => {
    const query = new URLSearchParams(request.originalUrl.split('?').slice(1).join('?'));
    const next = localPath(query.get('next'));
    sendPage(response, { next, principal: await sessionOf(request) });
  });

  router.post(SIGN_IN_PATH, refuseOtherPages, readForm, async (request, response) => {
    const next = localPath(field(request, 'next'));
    try {
      const token = await access.checkToken(field(request, 'token'), arrivals.clientOf(request));
      const session = sessions.create(token);
      response
        .cookie(SESSION_COOKIE, session, { ...cookieFor(request), maxAge: SESSION_LIFETIME_MS })
        .redirect(303, next);
    } catch (error) {
      if (!(error instanceof SynclineError) || !SHOWN.has(error.code)) throw error;
      const problem =
        error.code === 'unauthorized'
          ? 'This token is not valid.'
          : 'Too many attempts. Wait a moment, and then try again.';
      response.status(ERRORS[error.code].status).set(errorHeaders(error));
      sendPage(response, { next, problem });
    }
  });

  router.post(SIGN_OUT_PATH, refuseOtherPages, (request, response) => {
    response.clearCookie(SESSION_COOKIE, cookieFor(request)).redirect(303, SIGN_IN_PATH);
  });
  return router;
}

/** Pages of other origins could otherwise sign a user in or out, or use up the attempts of a user. */
const refuseOtherPages: express.RequestHandler = (request, _response, next) => {
  next(originOf(request.headers) === 'own' ? undefined : crossOrigin());
};

const readForm = express.urlencoded({ extended: false, limit: 16 * 1024, parameterLimit: 10 });

function field({ body }: Request, name: string): string {
  const value: unknown = body?.[name];
  return typeof value === 'string' ? value.trim() : '';
}

/** Returns a path of this api, and never the address of another site. */
function localPath(next: string | null): string {
  const base = 'http://localhost';
  const url = URL.parse(next ?? '', base);
  if (next?.startsWith('/') !== true || url === null || url.origin !== base) return DEFAULT_NEXT;
  // `/.//example.com` would be the address of another site.
  return url.pathname.startsWith('//') ? DEFAULT_NEXT : url.pathname + url.search;
}

interface Page {
  readonly next: string;
  readonly problem?: string;
  readonly principal?: Principal | undefined;
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; }
input { box-sizing: border-box; width: 100%; font: inherit; padding: .4rem; margin: .25rem 0 1rem; }
button { font: inherit; padding: .4rem 1rem; }
[role=alert] { color: #b00020; }
@media (prefers-color-scheme: dark) { :root { color-scheme: dark; } [role=alert] { color: #ff8a80; } }
`;
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

function sendPage(response: Response, page: Page): void {
  response
    .set({
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'cache-control': 'no-store',
      // With the policy of the other routes, a browser would send `Origin: null` with the form.
      'referrer-policy': 'same-origin',
    })
    .type('html')
    .send(render(page));
}

function render({ next, problem, principal }: Page): string {
  const alert = problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`;
  const signedIn =
    principal === undefined
      ? ''
      : `<p>You are signed in as <b>${escapeHtml(principal.name)}</b> with the role <b>${principal.role}</b>.</p>
<p><a href="${escapeHtml(next)}">Continue</a></p>
<form method="post" action="${SIGN_OUT_PATH}"><button>Sign out</button></form>
<h2>Use another token</h2>`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in to Syncline</title><style>${STYLE}</style></head>
<body>
<h1>Syncline</h1>
${signedIn}${alert}
<form method="post" action="${SIGN_IN_PATH}">
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button>
</form>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
