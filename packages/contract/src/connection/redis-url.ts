import { z } from 'zod';
import { SynclineError } from '../errors/syncline-error.ts';

const SENTINEL_PORT = 26_379;
const IS_SENTINEL = /^rediss?\+sentinel:/i;
/** The URL class accepts only one host. */
const FORM =
  /^(?<scheme>rediss?)\+sentinel:\/\/(?:(?<username>[^:@/?#]*):(?<password>[^@/?#]+)@)?(?<hosts>[^@/?#]*)(?:\/(?<name>[^/?#]*))?(?:\/(?<db>[^/?#]*))?(?:\?(?<query>[^#]*))?$/i;
const ADDRESS = /^(?:\[(?<ipv6>[\da-f:.]+)\]|(?<name>[^\s:[\]]+))(?::(?<port>\d{1,5}))?$/i;

// No error shows any part of the URL, because even an invalid part may belong to a password.

const decodedSchema = z.string().transform((text, context) => {
  try {
    return decodeURIComponent(text);
  } catch {
    context.addIssue('put two hexadecimal digits after each %');
    return z.NEVER;
  }
});

const addressSchema = z.string().transform((text, context) => {
  const { ipv6, name, port } = ADDRESS.exec(text)?.groups ?? {};
  const host = ipv6 ?? name;
  const address = { host: host ?? '', port: port === undefined ? SENTINEL_PORT : Number(port) };
  if (host !== undefined && address.port >= 1 && address.port <= 65_535) return address;
  context.addIssue('write each sentinel as host or host:port');
  return z.NEVER;
});

const dbError = 'put the number of the database after the name of the master';
const nameError =
  'put the name of the master after the sentinels; it may contain letters, digits, . _ and -';

const formError =
  'use redis+sentinel://[user:password@]host[:port],…/<name of the master>[/<database>], with special characters percent-encoded, such as %40 for @';

const parametersSchema = z.strictObject(
  { sentinel_username: decodedSchema.optional(), sentinel_password: decodedSchema.optional() },
  { error: 'use only the parameters sentinel_username and sentinel_password' },
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
  .transform(({ scheme, username, password, hosts, name, db, query }) => ({
    kind: 'sentinel' as const,
    sentinels: hosts,
    /** The name that the sentinels use for the current primary. */
    masterName: name,
    db,
    /** Whether the connections to servers and sentinels use TLS. */
    isEncrypted: scheme === 'rediss',
    // `:password@` has an empty username.
    username: username === '' ? undefined : username,
    password,
    sentinelUsername: query.sentinel_username,
    sentinelPassword: query.sentinel_password,
  }));
type SentinelTarget = z.output<typeof sentinelSchema>;

/** Reads the parameters without form decoding, because a plus sign in a password is not a space. */
function readParameters(query: unknown): unknown {
  if (typeof query !== 'string' || query === '') return {};
  const pairs = query.split('&').map((parameter) => {
    const [name = '', ...value] = parameter.split('=');
    return [name, value.join('=')];
  });
  return Object.fromEntries(pairs);
}

const SERVER_FORM =
  /^rediss?:\/\/(?:(?<login>[^/?#]*)@)?(?<host>\[[^\]/?#]*\]|[^:@/?#[\]]*)(?::(?<port>[^/?#]*))?(?<path>\/[^?#]*)?(?:\?[^#]*)?$/i;
const schemeError = 'use a redis://, rediss://, redis+sentinel:// or rediss+sentinel:// URL';

/** Checks each part, because ioredis would replace an invalid part by its default and connect to another server. */
const serverSchema = z.string().transform((url, context) => {
  const parts = SERVER_FORM.exec(url)?.groups;
  const problem = parts === undefined ? schemeError : problemOf(parts);
  if (problem === undefined && URL.canParse(url)) return { kind: 'server' as const, url };
  context.addIssue(problem ?? schemeError);
  return z.NEVER;
});

function problemOf({ login = '', host, port = '', path = '' }: Record<string, string>) {
  if (host === '') return 'use the name of a host; sockets of the file system are not supported';
  if (port !== '' && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    return 'use a port from 1 to 65535';
  }
  if (!/^\/?$|^\/\d{1,5}$/.test(path)) return 'put the number of the database after the host';
  return decodedSchema.safeParse(login).error?.issues[0]?.message;
}

/** The target of a Redis URL: one server, or the sentinels that know the address of the primary. */
export type RedisTarget = z.output<typeof serverSchema> | SentinelTarget;

/** A URL that {@link parseRedisUrl} accepts. */
export const redisUrlSchema = z.string().superRefine((url, context) => {
  const problem = readTarget(url).error?.issues[0];
  if (problem !== undefined) context.addIssue(problem.message);
});

/**
 * Parses the URL of a server, `redis://` or `rediss://`, or the URL of sentinels:
 * `redis+sentinel://[user:password@]host[:port],…/<name of the master>[/<database>]`. `rediss+sentinel` uses TLS.
 * `user` and `password` are the credentials for the servers. The parameters `sentinel_username` and `sentinel_password`
 * are the credentials for the sentinels.
 *
 * @throws SynclineError `config-invalid`. Its message shows no part of the URL, which may contain passwords
 */
export function parseRedisUrl(url: string): RedisTarget {
  const { data, error } = readTarget(url);
  if (data !== undefined) return data;
  const advice = error.issues[0]?.message ?? 'use another URL';
  throw new SynclineError('config-invalid', `the URL of Redis is invalid: ${advice}`);
}

function readTarget(url: string) {
  return IS_SENTINEL.test(url)
    ? sentinelSchema.safeParse(FORM.exec(url)?.groups)
    : serverSchema.safeParse(url);
}

/** Returns the URL for people to read, without credentials and parameters. */
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
/** Longer than a BullMQ worker waits for a job. */
const MAX_SILENCE_MS = 20_000;
const MAX_RETRY_DELAY_MS = 2_000;

/**
 * Returns the ioredis options to find the primary of these sentinels and to follow a failover. Spread them before other
 * options.
 */
export function sentinelOptions(target: SentinelTarget) {
  const { sentinels, masterName, db, username, password, isEncrypted } = target;
  const { sentinelUsername, sentinelPassword } = target;
  return {
    sentinels,
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
    // A hung primary keeps its connections open even after a failover.
    socketTimeout: MAX_SILENCE_MS,
  };
}
