import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  type Access,
  type AccessToken,
  crossOrigin,
  type Identify,
  originOf,
} from '@syncline/runtime';
import { parseCookie } from 'cookie';

export const SESSION_COOKIE = 'syncline_session';
export const SESSION_LIFETIME_MS = 12 * 3_600_000;

/**
 * Sessions of browsers. A session is a signed cookie, so every replica accepts it without shared state. The key of the
 * signature is the digest of the token, so a session ends when its token is replaced or removed.
 */
export interface Sessions {
  /** Returns the value of a cookie for someone who has just sent a valid token. */
  create(token: AccessToken): string;
  readonly identify: Identify;
}

export interface SessionsOptions {
  readonly tokens: Pick<Access['tokens'], 'current'>;
  /** Returns the time in epoch milliseconds. */
  readonly now?: () => number;
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export function createSessions({ tokens, now = Date.now }: SessionsOptions): Sessions {
  return {
    create: ({ name, digest }) => {
      const expiresAtS = Math.floor((now() + SESSION_LIFETIME_MS) / 1_000);
      const content = `${name}.${expiresAtS}`;
      return `${content}.${sign(content, digest).toString('base64url')}`;
    },
    identify: async ({ headers, method }) => {
      const cookie = parseCookie(headers.cookie ?? '')[SESSION_COOKIE];
      const [, content = '', name = '', expiresAtS, signature = ''] =
        /^(([a-z0-9-]{1,63})\.(\d{1,12}))\.([\w-]{43})$/.exec(cookie ?? '') ?? [];
      if (Number(expiresAtS ?? 0) * 1_000 <= now()) return undefined;
      const token = (await tokens.current()).find((it) => it.name === name);
      if (token === undefined) return undefined;
      const given = Buffer.from(signature, 'base64url');
      if (!timingSafeEqual(given, sign(content, token.digest))) return undefined;
      const origin = originOf(headers);
      if (SAFE_METHODS.has(method)) {
        if (origin === 'foreign') return undefined;
      } else if (origin !== 'own') {
        throw crossOrigin();
      }
      return { name, role: token.role, via: 'session' };
    },
  };
}

function sign(content: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(`syncline session ${content}`).digest();
}
