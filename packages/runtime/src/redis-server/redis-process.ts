import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { SynclineError } from '@syncline/contract';
import type { RedisServer } from './find-redis-server.ts';

export type RedisSettings = Readonly<Record<string, string | readonly string[]>>;

export interface RedisProcessOptions {
  readonly server: RedisServer;
  /** An existing directory for the append-only file. */
  readonly directory: string;
  /** The port to listen on. Default: a free port. */
  readonly port?: number;
  /** Settings that override `infra/redis.conf`. A list is a setting with several words, such as `replicaof`. */
  readonly settings?: RedisSettings;
  /** The password that Redis demands, in letters and digits. Default: none. */
  readonly password?: string;
  /** Starts a sentinel with this config file instead of a Redis. The sentinel rewrites the file. */
  readonly sentinelFile?: string;
  /** Called with each line that Redis prints. */
  readonly onOutput?: (line: string) => void;
}

/** A Redis that listens on loopback. It ends with this process, even if SIGKILL ends this process. */
export interface RedisProcess {
  /** The URL, with the password if there is one. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when Redis has ended, with a short description of how it ended. */
  readonly ended: Promise<string>;
  /** Makes Redis save its data and end. Resolves when Redis has ended. Can be called more than once. */
  stop(): Promise<void>;
}

/**
 * A shell script that starts a watcher and then becomes Redis. The watcher reads from a pipe of this process. If it reads
 * a line, Redis has ended. If the pipe closes without a line, this process has ended, even by SIGKILL. Then the watcher
 * ends Redis, even if Redis is stopped by SIGSTOP. `setpriv --pdeathsig` would work only on Linux.
 */
const WATCHED = `
exec 3<&0
{ read -r line || { kill -TERM $$; kill -CONT $$; }; } <&3 >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
`;

/** The lines that Redis and a sentinel print when they take commands. */
const READY = /Ready to accept connections|Sentinel ID is/;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const PORT_TRIES = 5;

/**
 * Starts Redis and waits until it takes commands.
 *
 * @throws SynclineError `store-unavailable` with the last lines that Redis printed
 */
export async function startRedisProcess(options: RedisProcessOptions): Promise<RedisProcess> {
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort());
    const started = await tryToStart(options, port);
    if (started.state === 'ready') return started.redis;
    // Another process may take the free port before Redis uses it.
    const taken = options.port === undefined && started.output.includes('Address already in use');
    if (taken && tries < PORT_TRIES) continue;
    throw new SynclineError(
      'store-unavailable',
      `redis-server did not start. Its output: ${started.output}`,
    );
  }
}

type Start = { state: 'ready'; redis: RedisProcess } | { state: 'failed'; output: string };

async function tryToStart(options: RedisProcessOptions, port: number): Promise<Start> {
  const { server, onOutput, password } = options;
  const secrets = password === undefined ? [] : [await writeSecrets(options.directory, password)];
  const child = spawn(
    '/bin/sh',
    ['-c', WATCHED, 'redis-server', server.path, ...secrets, ...redisArguments(options, port)],
    // Detached, because Ctrl-C reaches every process of the terminal, and Redis must end after the processes that use it.
    { detached: true, stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, ...server.env } },
  );
  const ended = whenEnded(child);
  const output: string[] = [];
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      onOutput?.(line);
      if (output.push(line) > 20) output.shift();
      if (READY.test(line)) resolve();
    });
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  const state = await Promise.race([ready.then(() => 'ready' as const), ended]);
  clearTimeout(timer);
  if (state !== 'ready' || child.pid === undefined) {
    return { state: 'failed', output: `${await ended}; ${output.slice(-3).join(' / ')}` };
  }
  const login = password === undefined ? '' : `:${password}@`;
  const url = `redis://${login}127.0.0.1:${port}`;
  const stop = () => stopRedis(child, ended);
  return { state: 'ready', redis: { url, port, pid: child.pid, ended, stop } };
}

/** Writes the password into a config file, because every user of the machine can read the command line of a process. */
async function writeSecrets(directory: string, password: string): Promise<string> {
  const path = join(directory, 'password.conf');
  await rm(path, { force: true });
  await writeFile(path, `requirepass ${password}\n`, { mode: 0o600, flag: 'wx' });
  return path;
}

type RedisChild = ChildProcessByStdio<Writable, Readable, null>;

function whenEnded(child: RedisChild): Promise<string> {
  // The watcher may end before it reads the line.
  child.stdin.on('error', () => {});
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => {
      child.stdin.end('ended\n');
      resolve(signal === null ? `it exited with status ${code}` : `it was ended by ${signal}`);
    });
  });
}

async function stopRedis(child: RedisChild, ended: Promise<string>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

function redisArguments(options: RedisProcessOptions, port: number): string[] {
  const { directory, settings = {}, sentinelFile } = options;
  const place = { bind: '127.0.0.1', port: String(port), dir: directory, daemonize: 'no' };
  const all: RedisSettings =
    sentinelFile === undefined
      ? { ...place, ...STORE_SETTINGS, ...settings }
      : { ...place, ...settings };
  return [
    ...(sentinelFile === undefined ? [] : [sentinelFile, '--sentinel']),
    ...Object.entries(all).flatMap(([name, value]) => [`--${name}`, value].flat()),
  ];
}

/** The same settings as in `infra/redis.conf`, which explains them. */
const STORE_SETTINGS: RedisSettings = {
  appendonly: 'yes',
  appendfsync: 'everysec',
  save: '',
  'maxmemory-policy': 'noeviction',
  hz: '100',
};

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
