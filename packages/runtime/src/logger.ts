import { createRequire } from 'node:module';
import { ERRORS, isStoreFull, isStoreUnavailable, SynclineError } from '@syncline/contract';
import {
  type DestinationStream,
  type Logger,
  type LoggerOptions,
  pino,
  stdSerializers,
  stdTimeFunctions,
} from 'pino';

export type { Logger };

export interface CreateLoggerOptions {
  /** The name of the process. Each line has this name. */
  readonly name: string;
  /** The lowest level to log. */
  readonly level: string;
  /** Whether to write readable text instead of JSON. Default: whether stdout is a terminal. */
  readonly pretty?: boolean;
  /** The destination of lines. Default: stdout. */
  readonly destination?: DestinationStream;
}

const STDOUT = 1;

const SECRET_KEYS = [
  'authorization',
  'Authorization',
  'token',
  'adminToken',
  'bearerToken',
  'accessToken',
  'password',
  'secret',
  'apiKey',
  'cookie',
  'Cookie',
  'set-cookie',
];
/** How many objects may enclose a secret key, as in `{request: {headers: {cookie}}}`. */
const SECRET_DEPTH = 4;

/**
 * Creates a logger that writes JSON lines with RFC 3339 times. It removes secrets by their keys, and credentials from
 * URLs under `url` and `redisUrl`.
 */
export function createLogger(options: CreateLoggerOptions): Logger {
  const { name, level, destination } = options;
  const pretty = options.pretty ?? (destination === undefined && process.stdout.isTTY === true);
  const pinoOptions: LoggerOptions = {
    name,
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: secretPaths(), censor: '[redacted]' },
    serializers: { err: serializeError, url: withoutCredentials, redisUrl: withoutCredentials },
  };
  if (pretty) return pino(pinoOptions, prettyStream(destination));
  // Writes synchronously. Otherwise the last lines of a process that exits would be lost or out of order.
  return pino(pinoOptions, destination ?? pino.destination({ dest: STDOUT, sync: true }));
}

/**
 * Serializes an error with its cause. Omits the Redis command, because its arguments are whole documents. Omits the
 * stack for expected conditions, such as an unavailable Redis or a rejected config.
 */
function serializeError(error: unknown): unknown {
  const serialized: unknown = error instanceof Error ? stdSerializers.err(error) : error;
  if (typeof serialized !== 'object' || serialized === null) return serialized;
  const omitted = isExpected(error) ? ['command', 'stack', 'aggregateErrors'] : ['command'];
  return Object.fromEntries(Object.entries(serialized).filter(([key]) => !omitted.includes(key)));
}

function isExpected(error: unknown): boolean {
  if (error instanceof SynclineError) return ERRORS[error.code].fault !== 'ours';
  return isStoreUnavailable(error) || isStoreFull(error);
}

/** Removes users, passwords and password parameters from the URLs in a text. */
export function withoutCredentials(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value
    .replace(/(:\/\/)[^/@\s]*@/g, '$1')
    .replace(/([?&][\w-]*password=)[^&#\s"']*/gi, '$1[redacted]');
}

function secretPaths(): string[] {
  const paths: string[] = [];
  for (let depth = 0; depth < SECRET_DEPTH; depth++) {
    const parents = Array.from({ length: depth }, () => '*').join('.');
    for (const key of SECRET_KEYS) paths.push(`${parents}["${key}"]`);
  }
  return paths;
}

/** Creates a stream in this thread. A transport in a worker thread would lose the last lines before a crash. */
function prettyStream(destination?: DestinationStream): DestinationStream {
  // Loaded only for readable output.
  const pretty: typeof import('pino-pretty') = createRequire(import.meta.url)('pino-pretty');
  return pretty.build({
    colorize: destination === undefined,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    sync: true,
    ...(destination === undefined ? {} : { destination }),
  });
}
