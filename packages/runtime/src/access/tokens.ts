import { createHash, timingSafeEqual } from 'node:crypto';
import {
  ADMIN_TOKEN_NAME,
  type Clock,
  type Logger,
  type Role,
  SynclineError,
  type TokenConfig,
} from '@syncline/contract';
import { within } from '../lifecycle/loop.ts';
import { markOfTokenFile, readTokenFile, TokenFileError } from './token-file.ts';

/** A token that is in force. */
export interface AccessToken {
  readonly name: string;
  readonly role: Role;
  /** The SHA-256 of the token. All digests have the same length, so comparing them takes the same time. */
  readonly digest: Buffer;
}

/** The tokens in force. Token files are read again when they change. */
export interface Tokens {
  /** Adds settings. If two settings have the same name, the first one added wins. */
  follow(settings: () => readonly TokenConfig[]): void;
  /** Returns whether a token with at least this role is configured, even if its file cannot be read now. */
  isConfigured(role: Role): boolean;
  /** Returns the tokens. Looks at the files first, unless it has looked at them within the last second. */
  current(): Promise<readonly AccessToken[]>;
  /** Returns the token with this text. The time that this takes does not depend on the text. */
  find(text: string): Promise<AccessToken | undefined>;
  /** @throws SynclineError `config-invalid` if there is an admin token file without a valid token */
  requireAdmin(): Promise<void>;
}

export interface TokensOptions {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'monotonic'>;
}

const LOOK_EVERY_MS = 1_000;
/** A file system may hang. This long after the start of a look, requests use the tokens that are known. */
const LOOK_PATIENCE_MS = 5_000;

/** Returns the settings of the token in `SYNCLINE_ADMIN_TOKEN_FILE`. */
export function adminToken(tokenFile: string): TokenConfig {
  return { name: ADMIN_TOKEN_NAME, role: 'operate', tokenFile };
}

/** What is known about a token file. */
interface Known {
  readonly mark: string;
  /** Absent if the file contains no valid token. */
  readonly digest?: Buffer;
}

export function createTokens({ logger, clock }: TokensOptions): Tokens {
  const sources: (() => readonly TokenConfig[])[] = [];
  const files = new Map<string, Known>();
  let looking: Promise<void> | undefined;
  let lookedAtMs = 0;

  const settings = (): readonly TokenConfig[] => {
    const byName = new Map<string, TokenConfig>();
    for (const token of sources.flatMap((source) => source())) {
      if (!byName.has(token.name)) byName.set(token.name, token);
    }
    return [...byName.values()];
  };

  const look = async () => {
    const tokens = settings();
    await Promise.all(
      tokens.map(async ({ name, tokenFile }) => {
        const before = files.get(tokenFile);
        const now = await readAgain(tokenFile, before);
        if (now.mark === before?.mark) return;
        files.set(tokenFile, now.known);
        const fields = { principal: name, path: tokenFile };
        if (now.problem !== undefined) {
          logger.warn({ ...fields, reason: now.problem }, 'token closed: invalid token file');
        } else if (before !== undefined) {
          logger.info(fields, 'token file read again');
        }
      }),
    );
    const used = new Set(tokens.map(({ tokenFile }) => tokenFile));
    for (const file of files.keys()) if (!used.has(file)) files.delete(file);
  };

  const current = async (): Promise<readonly AccessToken[]> => {
    const isDue =
      clock.monotonic() - lookedAtMs >= LOOK_EVERY_MS ||
      settings().some(({ tokenFile }) => !files.has(tokenFile));
    if (looking === undefined && isDue) {
      lookedAtMs = clock.monotonic();
      looking = look()
        .catch((error: unknown) => logger.error({ err: error }, 'check of token files failed'))
        .finally(() => {
          looking = undefined;
        });
    }
    if (looking !== undefined) {
      const patienceMs = Math.max(0, lookedAtMs + LOOK_PATIENCE_MS - clock.monotonic());
      await within(patienceMs, looking).catch(() => undefined);
    }
    return settings().flatMap(({ name, role, tokenFile }) => {
      const digest = files.get(tokenFile)?.digest;
      return digest === undefined ? [] : [{ name, role, digest }];
    });
  };

  return {
    follow: (source) => void sources.push(source),
    isConfigured: (role) => settings().some((token) => includesRole(token.role, role)),
    current,
    find: async (text) => {
      const digest = digestOf(text);
      return (await current()).filter((token) => timingSafeEqual(token.digest, digest)).at(0);
    },
    requireAdmin: async () => {
      const admin = settings().find(({ name }) => name === ADMIN_TOKEN_NAME);
      if (admin === undefined) return;
      const { problem } = await readAgain(admin.tokenFile, undefined);
      if (problem === undefined) return;
      throw new SynclineError('config-invalid', `SYNCLINE_ADMIN_TOKEN_FILE: ${problem}`);
    },
  };
}

/** Returns whether someone with the role `given` may do what needs the role `needed`. */
export function includesRole(given: Role, needed: Role): boolean {
  return given === 'operate' || needed === 'read';
}

/** Reads a token file, unless it is unchanged. */
async function readAgain(
  path: string,
  before: Known | undefined,
): Promise<{ mark: string; known: Known; problem?: string }> {
  try {
    const mark = await markOfTokenFile(path);
    if (mark === before?.mark) return { mark, known: before };
    try {
      return { mark, known: { mark, digest: digestOf(await readTokenFile(path)) } };
    } catch (error) {
      return { mark, known: { mark }, problem: problemOf(error) };
    }
  } catch (error) {
    const problem = problemOf(error);
    return { mark: problem, known: { mark: problem }, problem };
  }
}

function problemOf(error: unknown): string {
  if (error instanceof TokenFileError) return error.message;
  throw error;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
