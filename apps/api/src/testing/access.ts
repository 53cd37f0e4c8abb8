import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Logger, systemClock, type TokenConfig } from '@syncline/contract';
import { type Access, createAccess, type Env } from '@syncline/runtime';

export const OPERATE_TOKEN = 'operate-token-of-tests';
export const READ_TOKEN = 'read-token-of-the-tests';
/** Headers of a caller who may do everything. */
export const OPERATOR = { authorization: `Bearer ${OPERATE_TOKEN}` };
export const READER = { authorization: `Bearer ${READ_TOKEN}` };

const directory = mkdtempSync(join(tmpdir(), 'syncline-tokens-'));
process.once('exit', () => rmSync(directory, { recursive: true }));

/** The path of the file with the token `operator`. Tests may replace the token. */
export const OPERATE_TOKEN_FILE = join(directory, 'operate');

const TOKENS: readonly TokenConfig[] = [
  { name: 'operator', role: 'operate', tokenFile: OPERATE_TOKEN_FILE },
  { name: 'reader', role: 'read', tokenFile: join(directory, 'read') },
];
writeFileSync(join(directory, 'operate'), OPERATE_TOKEN);
writeFileSync(join(directory, 'read'), READ_TOKEN);

export interface TestAccessOptions extends Partial<Pick<Env, 'host' | 'hosts'>> {
  readonly trustedProxies?: readonly string[] | undefined;
  readonly tokens?: readonly TokenConfig[];
  readonly logger?: Logger;
  readonly clock?: Pick<Clock, 'monotonic'>;
}

/** Creates the access rules of an api, by default on a loopback address and with the tokens of this file. */
export function testAccess({
  host = '127.0.0.1',
  hosts,
  trustedProxies,
  tokens = TOKENS,
  logger = SILENT,
  clock = systemClock,
}: TestAccessOptions = {}): Access {
  const access = createAccess({
    env: {
      host,
      hosts,
      trustedProxies: trustedProxies && [...trustedProxies],
      adminTokenFile: undefined,
    },
    logger,
    clock,
  });
  access.tokens.follow(() => tokens);
  return access;
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
