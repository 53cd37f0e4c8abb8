import { redisUrlSchema, SynclineError } from '@syncline/contract';
import { z } from 'zod';

const port = wholeNumber({ least: 0, most: 65_535 });

const proxyUrl = z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' });

/** The one table of variables: it checks them, has the defaults, and generates the documentation. */
const variablesSchema = z.object({
  REDIS_URL: redisUrlSchema.exactOptional().meta({
    description:
      'The Redis to use: `redis://` or `rediss://`; or its sentinels, by `redis+sentinel://host:port,host:port/<name of the master>`. Where unset, `syncline up` starts one of its own.',
  }),
  SYNCLINE_PREFIX: z
    .string()
    .regex(/^[\w.:-]{1,64}$/, { error: 'expected 1 to 64 letters, digits, _ . : or -' })
    .prefault('syncline')
    .meta({ description: 'What all keys in Redis begin with.' }),
  SYNCLINE_CONFIG: z
    .string()
    .prefault('./syncline.yaml')
    .meta({ description: 'The config file; `--config` comes first.' }),
  HOST: z.string().prefault('127.0.0.1').meta({
    description:
      'The address to listen on. On other than loopback, control is off unless there is an admin token.',
  }),
  PORT: port.prefault('8080').meta({ description: 'The port of the api; `0` takes a free one.' }),
  SYNCLINE_OPS_PORT: port.exactOptional().meta({
    description:
      'The port of `/health`, `/readiness` and `/metrics` of every process. Off where unset; the api has them on its own port too.',
  }),
  SYNCLINE_ADMIN_TOKEN_FILE: z.string().exactOptional().meta({
    description: 'A file with the bearer token that control needs.',
  }),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'expected one of trace, debug, info, warn, error, fatal, silent',
    })
    .prefault('info')
    .meta({ description: 'The least level that is logged.' }),
  SYNCLINE_CONCURRENCY: wholeNumber({ least: 1, most: 1_000 })
    .prefault('16')
    .meta({ description: 'How many registries one worker syncs at once.' }),
  SYNCLINE_HEAVY_RUNS: wholeNumber({ least: 1, most: 64 }).prefault('2').meta({
    description:
      'How many of them may decode a body or build a snapshot at once; both need memory.',
  }),
  SYNCLINE_DATA_DIR: z.string().prefault('.syncline').meta({
    description:
      'Where a process keeps files: clones of Git repositories, and those of the Redis that `syncline up` starts.',
  }),
  HTTPS_PROXY: proxyUrl.exactOptional().meta({
    description: 'The proxy through which `https:` upstreams are asked; also in lower case.',
  }),
  HTTP_PROXY: proxyUrl.exactOptional().meta({
    description: 'The proxy through which `http:` upstreams are asked; also in lower case.',
  }),
  NO_PROXY: z.string().exactOptional().meta({
    description:
      'What is asked without a proxy, separated by commas: names, which stand for those below them too, addresses, ranges, or `*`. Also in lower case.',
  }),
});

/** What the environment tells a process. */
export type Env = Readonly<z.output<typeof envSchema>>;

const envSchema = variablesSchema.transform((variables) => ({
  redisUrl: variables.REDIS_URL,
  prefix: variables.SYNCLINE_PREFIX,
  configPath: variables.SYNCLINE_CONFIG,
  host: variables.HOST,
  port: variables.PORT,
  opsPort: variables.SYNCLINE_OPS_PORT,
  adminTokenFile: variables.SYNCLINE_ADMIN_TOKEN_FILE,
  logLevel: variables.LOG_LEVEL,
  concurrency: variables.SYNCLINE_CONCURRENCY,
  heavyRuns: variables.SYNCLINE_HEAVY_RUNS,
  dataDir: variables.SYNCLINE_DATA_DIR,
  httpProxy: variables.HTTP_PROXY,
  httpsProxy: variables.HTTPS_PROXY,
  noProxy: variables.NO_PROXY,
}));

/** Other programs know these in lower case, and prefer that spelling. */
const ALSO_IN_LOWER_CASE = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const;

function wholeNumber({ least, most }: { least: number; most: number }) {
  const error = `expected a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, { error, abort: true })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error });
}

export type Variables = Readonly<Record<string, string | undefined>>;

export interface ReadEnvOptions {
  /** For variables that are not set, instead of the defaults of the table. */
  readonly defaults?: Variables;
  /** Overrides the environment, as options of the command line do. */
  readonly overrides?: Variables;
}

/**
 * Reads the environment, as nothing else in the project does. Empty variables count as unset.
 *
 * @throws SynclineError `config-invalid`, which names each invalid variable, but not its value: that may be
 *   a secret
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
  // Compiling a schema that is used once takes longer than to interpret it.
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

/** A variable in the documentation. */
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
 * @throws SynclineError `config-invalid`: only `syncline up` brings a Redis of its own
 */
export function requireRedisUrl({ redisUrl }: Pick<Env, 'redisUrl'>): string {
  if (redisUrl !== undefined) return redisUrl;
  throw new SynclineError('config-invalid', 'REDIS_URL is not set', {
    expected: 'the URL of a Redis, such as redis://127.0.0.1:6379; `syncline up` brings its own',
  });
}

/** Returns where programs are searched, for child processes with an environment of their own. */
export function searchPath(): string | undefined {
  return process.env['PATH'];
}

/** Returns whether the stream is a terminal that can move its cursor. */
export function isScreen(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env['TERM'] !== 'dumb';
}
