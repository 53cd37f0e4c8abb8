import { z } from 'zod';
import { SynclineError } from '../errors/syncline-error.ts';

const SENTINEL_PORT = 26_379;
const IS_SENTINEL = /^rediss?\+sentinel:/i;
/** The URLs that the platform parses have one host. */
const FORM =
  /^(?<scheme>rediss?)\+sentinel:\/\/(?:(?<username>[^:@/?#]*):(?<password>[^@/?#]+)@)?(?<hosts>[^@/?#]*)(?:\/(?<name>[^/?#]*))?(?:\/(?<db>[^/?#]*))?(?:\?(?<query>[^#]*))?$/i;
const ADDRESS = /^(?:\[(?<ipv6>[\da-f:.]+)\]|(?<name>[^\s:[\]]+))(?::(?<port>\d{1,5}))?$/i;

// No error shows any part of the URL: what is wrong in it may be part of a password.

const decodedSchema = z.string().transform((text, context) => {
  try {
    return decodeURIComponent(text);
  } catch {
    context.addIssue('expected two hexadecimal digits after each %');
    return z.NEVER;
  }
});

const addressSchema = z.string().transform((text, context) => {
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
  { error: 'expected only the parameters sentinel_username and sentinel_password' },
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
    /** The sentinels' name for the primary, whichever server that is. */
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

/** Reads parameters as they are: a plus in a password is not a space. */
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
  .transform((url) => ({ kind: 'server' as const, url }));

/** What a URL of Redis names: one server, or the sentinels that know the address of the primary. */
export type RedisTarget = z.output<typeof serverSchema> | SentinelTarget;

/** A URL that {@link parseRedisUrl} accepts. */
export const redisUrlSchema = z.string().superRefine((url, context) => {
  const problem = readTarget(url).error?.issues[0];
  if (problem !== undefined) context.addIssue(problem.message);
});

/**
 * Parses the URL of a server, `redis://` or `rediss://`; or of sentinels,
 * `redis+sentinel://[user:password@]host[:port],…/<name of the master>[/<database>]`, with `rediss` over TLS.
 * User and password are those of the servers. Those of the sentinels are the parameters `sentinel_username` and
 * `sentinel_password`.
 *
 * @throws SynclineError `config-invalid`. Its message shows nothing of the URL, which may contain passwords
 */
export function parseRedisUrl(url: string): RedisTarget {
  const { data, error } = readTarget(url);
  if (data !== undefined) return data;
  throw new SynclineError('config-invalid', 'the URL of Redis is invalid', {
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
/** Longer than a BullMQ worker waits for a job. */
const MAX_SILENCE_MS = 20_000;
const MAX_RETRY_DELAY_MS = 2_000;

/**
 * Returns the options with which ioredis finds the primary of these sentinels and follows it. Spread them before other
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
    // A primary that hangs keeps its connections even after a failover.
    socketTimeout: MAX_SILENCE_MS,
  };
}
