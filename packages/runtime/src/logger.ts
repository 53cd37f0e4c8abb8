import { createRequire } from 'node:module';
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
  /** The name of the process, on each line. */
  readonly name: string;
  /** The minimum level that is logged. */
  readonly level: string;
  /** Lines for people instead of JSON. Default: whether stdout is a terminal. */
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
/** Objects around a secret key, as in `{request: {headers: {cookie}}}`. */
const SECRET_DEPTH = 4;

/**
 * Creates a logger of JSON lines with RFC 3339 times. It removes secrets by their keys, and credentials from URLs under
 * `url` and `redisUrl`.
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
  // Synchronous, because the last lines of a process that exits would otherwise be lost or out of order.
  return pino(pinoOptions, destination ?? pino.destination({ dest: STDOUT, sync: true }));
}

/**
 * An error with its cause and stack, but without the command that Redis refused: its arguments are whole
 * documents, and not for the log.
 */
function serializeError(error: unknown): unknown {
  const serialized: unknown = error instanceof Error ? stdSerializers.err(error) : error;
  if (typeof serialized !== 'object' || serialized === null) return serialized;
  return Object.fromEntries(Object.entries(serialized).filter(([key]) => key !== 'command'));
}

/** Returns the text without users, passwords and password parameters of URLs. */
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

/** Creates a stream in this thread, because a transport in a worker thread would lose the last lines of a crash. */
function prettyStream(destination?: DestinationStream): DestinationStream {
  // Loaded only for lines for people.
  const pretty: typeof import('pino-pretty') = createRequire(import.meta.url)('pino-pretty');
  return pretty.build({
    colorize: destination === undefined,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    sync: true,
    ...(destination === undefined ? {} : { destination }),
  });
}
