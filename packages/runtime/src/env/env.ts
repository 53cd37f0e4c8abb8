import { delimiter, isAbsolute } from 'node:path';
import { byteSizeSchema, redisUrlSchema, SynclineError } from '@syncline/contract';
import { z } from 'zod';
import { LEAST_MEMORY_BYTES, parseBytes } from '../memory/memory-plan.ts';

const port = wholeNumber({ least: 0, most: 65_535 });

const addressOrRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
const hostName = z.union([z.ipv6(), z.string().regex(/^[\w]([\w.-]{0,251}[\w])?$/)]);

const proxyUrl = z.url({ protocol: /^https?$/, error: 'use an http:// or https:// URL' });

/**
 * The table of all variables. It checks their values, sets the defaults, and generates the documentation.
 */
const variablesSchema = z.object({
  REDIS_URL: redisUrlSchema.exactOptional().meta({
    description:
      'The URL of Redis: `redis://…`, `rediss://…`, or `redis+sentinel://host:port,host:port/<name of the master>` for sentinels. If it is not set, `syncline up` starts its own Redis.',
  }),
  SYNCLINE_PREFIX: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, { error: 'use 1 to 64 letters, digits, _ . : or -' })
    .prefault('syncline')
    .meta({ description: 'The prefix of all keys in Redis.' }),
  SYNCLINE_CONFIG: z
    .string()
    .prefault('./syncline.yaml')
    .meta({ description: 'The config file. The option `--config` takes precedence.' }),
  HOST: z.string().prefault('127.0.0.1').meta({
    description:
      'The address to listen on. If it is not a loopback address, only `/health`, `/readiness`, `/version`, `/openapi.yaml` and catalogs answer without a token.',
  }),
  PORT: port
    .prefault('8080')
    .meta({ description: 'The port of the api. `0` selects a free port.' }),
  SYNCLINE_OPS_PORT: port.exactOptional().meta({
    description:
      'The port on which every process serves `/health`, `/readiness` and `/metrics`. If it is not set, only the api serves them, on its own port.',
  }),
  SYNCLINE_ADMIN_TOKEN_FILE: z.string().exactOptional().meta({
    description:
      'A file that contains a token with the role `operate`. You can replace the file at any time. If it is not set, `syncline up` makes a token in its data directory.',
  }),
  SYNCLINE_HOSTS: listOf({
    of: hostName,
    error: 'use host names or addresses without a port, separated by commas',
  })
    .exactOptional()
    .meta({
      description:
        'The names under which clients may call this process, separated by commas. If it is not set, a process on a loopback address accepts only loopback names, and other processes accept any name.',
    }),
  SYNCLINE_TRUSTED_PROXIES: listOf({
    of: addressOrRange,
    error: 'use addresses, or ranges such as 10.0.0.0/8, separated by commas',
  })
    .exactOptional()
    .meta({
      description:
        'The addresses or ranges of the proxies in front of the api, separated by commas. The api believes only these proxies when they say who the client is, and whether it used https.',
    }),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'use one of trace, debug, info, warn, error, fatal, silent',
    })
    .prefault('info')
    .meta({ description: 'The lowest level of log lines that a process writes.' }),
  SYNCLINE_CONCURRENCY: wholeNumber({ least: 1, most: 1_000 })
    .prefault('16')
    .meta({ description: 'How many registries one worker syncs at the same time.' }),
  SYNCLINE_HEAVY_RUNS: wholeNumber({ least: 1, most: 64 }).prefault('2').meta({
    description:
      'How many of these runs may decode a body or build a snapshot at the same time. Both need much memory.',
  }),
  SYNCLINE_MEMORY: z
    .string()
    .transform((text, context) => {
      const bytes = parseBytes(text);
      if (bytes !== undefined && bytes >= LEAST_MEMORY_BYTES) return bytes;
      const message = 'use a number of bytes with a unit, such as 512MB or 2GiB, at least 256MiB';
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .exactOptional()
    .meta({
      description:
        'The limit of the resident memory of a process and its child processes, without the embedded Redis: a number with a unit, such as `512MB` or `2GiB`. If it is not set: 70 % of the limit of the container. Without such a limit: an eighth of the memory of the machine, at least 512 MB.',
    }),
  SYNCLINE_DATA_DIR: z.string().prefault('.syncline').meta({
    description:
      'The folder for the files of a process: clones of Git repositories, and the Redis data of `syncline up`.',
  }),
  SYNCLINE_CREDENTIAL_DIRS: directoryList().exactOptional().meta({
    description:
      'Absolute directories, separated by `:`. If it is set, a worker reads credential files only below these directories.',
  }),
  SYNCLINE_STORED_BYTES: byteSizeSchema({ leastBytes: 64_000_000 }).exactOptional().meta({
    description:
      'How many bytes the snapshots of all registries may take in Redis, for example `2GiB`. The default is 70 % of `maxmemory` of Redis, or 4 GiB if `maxmemory` is not set. `syncline up` sets `maxmemory` of its own Redis so that this many bytes are 70 %. Its default is a quarter of the memory of the machine or container, but at most 2 GiB.',
  }),
  HTTPS_PROXY: proxyUrl.exactOptional().meta({
    description: 'The proxy for `https:` requests to upstreams. The lower-case name works too.',
  }),
  HTTP_PROXY: proxyUrl.exactOptional().meta({
    description: 'The proxy for `http:` requests to upstreams. The lower-case name works too.',
  }),
  NO_PROXY: z.string().exactOptional().meta({
    description:
      'Hosts that need no proxy, separated by commas: host names (which include their subdomains), addresses, ranges, or `*`. The lower-case name works too.',
  }),
});

/** The settings of a process, read from the environment. */
export type Env = Readonly<z.output<typeof envSchema>>;

const envSchema = variablesSchema.transform((variables) => ({
  redisUrl: variables.REDIS_URL,
  prefix: variables.SYNCLINE_PREFIX,
  configPath: variables.SYNCLINE_CONFIG,
  host: variables.HOST,
  port: variables.PORT,
  opsPort: variables.SYNCLINE_OPS_PORT,
  adminTokenFile: variables.SYNCLINE_ADMIN_TOKEN_FILE,
  hosts: variables.SYNCLINE_HOSTS,
  trustedProxies: variables.SYNCLINE_TRUSTED_PROXIES,
  logLevel: variables.LOG_LEVEL,
  concurrency: variables.SYNCLINE_CONCURRENCY,
  heavyRuns: variables.SYNCLINE_HEAVY_RUNS,
  memoryBytes: variables.SYNCLINE_MEMORY,
  dataDir: variables.SYNCLINE_DATA_DIR,
  credentialDirs: variables.SYNCLINE_CREDENTIAL_DIRS,
  storedBytes: variables.SYNCLINE_STORED_BYTES,
  httpProxy: variables.HTTP_PROXY,
  httpsProxy: variables.HTTPS_PROXY,
  noProxy: variables.NO_PROXY,
}));

/** Other programs also use these names in lower case, and prefer the lower-case variable. */
const ALSO_IN_LOWER_CASE = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const;

function wholeNumber({ least, most }: { least: number; most: number }) {
  const error = `use a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, { error, abort: true })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error });
}

/** A list in the form of PATH. */
function directoryList() {
  return z
    .string()
    .transform((text) => text.split(delimiter).filter((directory) => directory !== ''))
    .refine((directories) => directories.every(isAbsolute), { error: 'use absolute paths' });
}

/** A list of texts in one variable, separated by commas. */
function listOf({ of, error }: { of: z.ZodType<string>; error: string }) {
  return z
    .string()
    .transform((text) => text.split(',').map((item) => item.trim()))
    .refine((items) => items.every((item) => of.safeParse(item, { jitless: true }).success), {
      error,
    });
}

export type Variables = Readonly<Record<string, string | undefined>>;

export interface ReadEnvOptions {
  /** Defaults for variables that are not set. They replace the defaults of the table. */
  readonly defaults?: Variables;
  /** Values that override the environment, as command line options do. */
  readonly overrides?: Variables;
}

/**
 * Reads the environment. No other code in the project reads the environment. Empty variables count as
 * unset.
 *
 * @throws SynclineError `config-invalid`, which names each invalid variable but not its value, because the
 *   value may be a secret
 */
export function readEnv(
  source: Variables = process.env,
  { defaults = {}, overrides = {} }: ReadEnvOptions = {},
): Env {
  const variables = {
    ...withoutEmpty(defaults),
    ...withoutEmpty(withLowerCase(source)),
    ...withoutEmpty(overrides),
  };
  // Compiling a schema for a single use takes longer than interpreting it.
  const result = envSchema.safeParse(variables, { jitless: true });
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new SynclineError('config-invalid', problems.join('\n'));
}

function withLowerCase(source: Variables): Variables {
  const found = ALSO_IN_LOWER_CASE.map((name) => [name, source[name.toLowerCase()]] as const);
  return { ...source, ...withoutEmpty(Object.fromEntries(found)) };
}

function withoutEmpty(source: Variables): Variables {
  return Object.fromEntries(
    Object.entries(source).filter(([, value]) => value !== undefined && value !== ''),
  );
}

/** Kubernetes sets such variables for a service whose name starts with `syncline`. */
const OF_KUBERNETES = /_SERVICE_(HOST|PORT)(_|$)|_PORT(_\d+_(TCP|UDP|SCTP)(_|$)|$)/;

/** Returns the variables that have our prefix but that {@link readEnv} does not know, for example because of a typo. */
export function unknownVariables(source: Variables = process.env): string[] {
  const names = Object.keys(source).filter((name) => name.startsWith('SYNCLINE_'));
  return names.filter((name) => !(name in variablesSchema.shape) && !OF_KUBERNETES.test(name));
}

/** A variable as the documentation shows it. */
export interface EnvVariable {
  readonly name: string;
  readonly description: string;
  readonly default?: string;
}

/** Returns every variable that {@link readEnv} knows, in the order of the table. */
export function envVariables(): EnvVariable[] {
  const { properties = {} } = z.toJSONSchema(variablesSchema, { io: 'input' });
  return Object.entries(properties).map(([name, schema]) => {
    const { description = '', default: fallback } = typeof schema === 'boolean' ? {} : schema;
    return { name, description, ...(fallback === undefined ? {} : { default: String(fallback) }) };
  });
}

/**
 * Returns the URL of the Redis to use.
 *
 * @throws SynclineError `config-invalid` if REDIS_URL is not set: only `syncline up` starts its own Redis
 */
export function requireRedisUrl({ redisUrl }: Pick<Env, 'redisUrl'>): string {
  if (redisUrl !== undefined) return redisUrl;
  throw new SynclineError(
    'config-invalid',
    'REDIS_URL is not set. Set it, for example to redis://127.0.0.1:6379, or run `syncline up`, which starts its own Redis',
  );
}

/** Returns the search path for programs, for child processes that get their own environment. */
export function searchPath(): string | undefined {
  return process.env['PATH'];
}

/** Returns whether the stream is a terminal that can move its cursor. */
export function isScreen(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env['TERM'] !== 'dumb';
}
