import { z } from 'zod';
import { SynclineError } from '../errors/syncline-error.ts';

/** What a URL of Redis names: one server, or sentinels. */
export type RedisTarget = ServerTarget | SentinelTarget;

export interface ServerTarget {
  readonly kind: 'server';
  /** As clients of Redis know it. */
  readonly url: string;
}

/** Sentinels, which know the address of the primary. */
export interface SentinelTarget {
  readonly kind: 'sentinel';
  readonly sentinels: readonly SentinelAddress[];
  /** What the sentinels call the primary, whichever server that is. */
  readonly masterName: string;
  readonly db: number;
  /** Whether servers and sentinels are talked to over TLS. */
  readonly isEncrypted: boolean;
  /** Of the servers. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
}

export interface SentinelAddress {
  readonly host: string;
  readonly port: number;
}

const SENTINEL_PORT = 26_379;
const IS_SENTINEL = /^rediss?\+sentinel:/i;
/** What the platform knows as a URL has one host. */
const FORM =
  /^(?<scheme>rediss?)\+sentinel:\/\/(?:(?<username>[^:@/?#]*):(?<password>[^@/?#]+)@)?(?<hosts>[^@/?#]*)(?:\/(?<name>[^/?#]*))?(?:\/(?<db>[^/?#]*))?(?:\?(?<query>[^#]*))?$/i;
const ADDRESS = /^(?:\[(?<ipv6>[\da-f:.]+)\]|(?<name>[^\s:[\]]+))(?::(?<port>\d{1,5}))?$/i;

// No error shows what it is about: any part of a URL that is wrong may be part of a password.

const decodedSchema = z.string().transform((text, context) => {
  try {
    return decodeURIComponent(text);
  } catch {
    context.addIssue('expected two hexadecimal digits after each %');
    return z.NEVER;
  }
});

const addressSchema = z.string().transform((text, context): SentinelAddress => {
  const { ipv6, name, port } = ADDRESS.exec(text)?.groups ?? {};
  const host = ipv6 ?? name;
  const address = { host: host ?? '', port: port === undefined ? SENTINEL_PORT : Number(port) };
  if (host !== undefined && address.port >= 1 && address.port <= 65_535) return address;
  context.addIssue('expected each sentinel as host or host:port');
  return z.NEVER;
});

const dbError = 'expected the number of a database after the name of the master';
const nameError = 'expected the name of the master after the sentinels, of letters, digits, . _ -';

const formError =
  'expected redis+sentinel://[user:password@]host[:port],…/<name of the master>[/<database>], with %40 for @ and so on';

const parametersSchema = z.strictObject(
  { sentinel_username: decodedSchema.optional(), sentinel_password: decodedSchema.optional() },
  { error: 'expected no parameters but sentinel_username and sentinel_password' },
);

const sentinelSchema = z
  .object(
    {
      scheme: z.string().toLowerCase(),
      username: decodedSchema.optional(),
      password: decodedSchema.optional(),
      hosts: z.preprocess((hosts) => String(hosts).split(','), z.array(addressSchema)),
      name: z.string({ error: nameError }).regex(/^[\w.-]+$/, { error: nameError }),
      db: z
        .string()
        .regex(/^\d{1,5}$/, { error: dbError })
        .prefault('0')
        .transform(Number),
      query: z.preprocess(readParameters, parametersSchema),
    },
    { error: formError },
  )
  .transform(
    ({ scheme, username, password, hosts, name, db, query }): SentinelTarget => ({
      kind: 'sentinel',
      sentinels: hosts,
      masterName: name,
      db,
      isEncrypted: scheme === 'rediss',
      // Empty in `:password@`.
      username: username === '' ? undefined : username,
      password,
      sentinelUsername: query.sentinel_username,
      sentinelPassword: query.sentinel_password,
    }),
  );

/** As they stand: what is a space in a form is a plus in a password. */
function readParameters(query: unknown): unknown {
  if (typeof query !== 'string' || query === '') return {};
  const pairs = query.split('&').map((parameter) => {
    const [name = '', ...value] = parameter.split('=');
    return [name, value.join('=')];
  });
  return Object.fromEntries(pairs);
}

const serverSchema = z
  .url({
    protocol: /^rediss?$/,
    error: 'expected a redis://, rediss://, redis+sentinel:// or rediss+sentinel:// URL',
  })
  .transform((url): ServerTarget => ({ kind: 'server', url }));

/** A URL that {@link parseRedisUrl} takes. */
export const redisUrlSchema = z.string().superRefine((url, context) => {
  const { error } = readTarget(url);
  for (const { message } of error?.issues.slice(0, 1) ?? []) context.addIssue(message);
});

/**
 * What a URL of Redis names: a server by `redis://` or `rediss://`; or, by
 * `redis+sentinel://[user:password@]host[:port],…/<name of the master>[/<database>]`, with `rediss` over
 * TLS, sentinels. User and password are those of the servers; what the sentinels themselves ask for are
 * the parameters `sentinel_username` and `sentinel_password`.
 *
 * @throws SynclineError `config-invalid` that shows nothing of the URL, which may hold passwords
 */
export function parseRedisUrl(url: string): RedisTarget {
  const { data, error } = readTarget(url);
  if (data !== undefined) return data;
  throw new SynclineError('config-invalid', 'the URL of Redis is not right', {
    expected: error.issues[0]?.message.replace(/^expected /, '') ?? 'another one',
  });
}

function readTarget(url: string) {
  return IS_SENTINEL.test(url)
    ? sentinelSchema.safeParse(FORM.exec(url)?.groups)
    : serverSchema.safeParse(url);
}

/** Returns the URL for people to read, without users, passwords and parameters. */
export function redisPlace(url: string): string {
  const target = parseRedisUrl(url);
  if (target.kind === 'server') {
    const { protocol, host } = new URL(target.url);
    return `${protocol}//${host}`;
  }
  const hosts = target.sentinels.map(({ host, port }) =>
    host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
  );
  const scheme = target.isEncrypted ? 'rediss' : 'redis';
  return `${scheme}+sentinel://${hosts.join(',')}/${target.masterName}`;
}

const CONNECT_TIMEOUT_MS = 3_000;
const SENTINEL_ANSWER_TIMEOUT_MS = 1_000;
/** Longer than a worker of BullMQ waits for a job. */
const MAX_SILENCE_MS = 20_000;
const MAX_RETRY_DELAY_MS = 2_000;

/**
 * What ioredis has to be told to find the primary of these sentinels, and to follow it: to be spread into
 * its options, before those that say how commands are to be treated.
 */
export function sentinelOptions(target: SentinelTarget) {
  const { sentinels, masterName, db, username, password, isEncrypted } = target;
  const { sentinelUsername, sentinelPassword } = target;
  return {
    sentinels: sentinels.map((address) => ({ ...address })),
    name: masterName,
    db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(isEncrypted ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
    sentinelRetryStrategy: (attempt: number) => Math.min(100 * attempt, MAX_RETRY_DELAY_MS),
    sentinelCommandTimeout: SENTINEL_ANSWER_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A primary that hangs keeps its connections, also when another one has taken over.
    socketTimeout: MAX_SILENCE_MS,
  };
}
