import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { failOnLeaks, killIfThere, TAG_VARIABLE } from './processes/leaks.ts';
import { collectOutput, type LogLine, type Output } from './processes/output.ts';
import { nodeBinary, projectRoot } from './project.ts';
import { WAITING_MS } from './until.ts';

export type { LogLine } from './processes/output.ts';

export interface StartProcessOptions {
  /** The name of the process in error messages. */
  readonly name: string;
  /** The path of the program, relative to the project's root. */
  readonly entry: string;
  readonly args?: readonly string[];
  /** The complete environment, except `PATH` and `HOME`, which are added. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments for Node itself. */
  readonly nodeArgs?: readonly string[];
  /** The working directory. Default: the project's root. */
  readonly directory?: string;
  readonly lifetime?: Lifetime;
  /** How long child processes may outlive the process. After this time, they count as left behind. */
  readonly graceMs?: number;
}

/** How a process ended. Either `code` or `signal` is null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WaitOptions {
  readonly what?: string;
}

/** A process of the system under test. */
export interface ProcessHandle {
  readonly name: string;
  readonly pid: number;
  readonly output: Output;
  readonly exited: Promise<Exit>;
  readonly running: boolean;
  /**
   * Returns the first log line since the start that the predicate accepts.
   *
   * @throws when the process ends or after {@link WAITING_MS}, with the last output
   */
  waitForLog(predicate: (line: LogLine) => boolean, options?: WaitOptions): Promise<LogLine>;
  /** Sends a signal, by default SIGKILL, and waits until the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
  /** Asks the process to stop, and waits until it has stopped. */
  stop(): Promise<Exit>;
  /** Freezes the process, as a long garbage collection or a suspended machine does. */
  pause(): void;
  resume(): void;
  /** Sends a signal that does not end the process. */
  signal(signal: NodeJS.Signals): void;
}

/** The compile cache. Tests start hundreds of processes, and compiling is a large part of each start. */
const COMPILE_CACHE = path.join(projectRoot, '.cache/compiled');

/**
 * Starts a program of the project as a separate process, with a new environment. At the end of the test the process
 * is killed. If it left child processes behind, the test fails.
 */
export async function startProcess(options: StartProcessOptions): Promise<ProcessHandle> {
  const { name, entry, args = [], env = {}, nodeArgs = [], lifetime = testLifetime } = options;
  const tag = randomUUID();
  const child = spawn(nodeBinary(), [...nodeArgs, path.join(projectRoot, entry), ...args], {
    cwd: options.directory ?? projectRoot,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: tmpdir(),
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...env,
      [TAG_VARIABLE]: tag,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collectOutput(name, child);
  const { promise: exited, resolve, reject } = Promise.withResolvers<Exit>();
  child.once('error', reject);
  // `close` is emitted after all output has arrived.
  child.once('close', (code, signal) => resolve({ code, signal }));
  const pid = child.pid;
  if (pid === undefined) {
    await exited;
    throw new Error(`${name} did not start`);
  }
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const send = (signal: NodeJS.Signals) => {
    if (!isRunning()) throw new Error(`${name} has ended already:\n${output.tail()}`);
    child.kill(signal);
  };

  killWithUs.add(pid);
  exited.finally(() => killWithUs.delete(pid)).catch(() => {});
  lifetime.defer(async () => {
    if (isRunning()) child.kill('SIGKILL');
    // A child process that was left behind may keep the output open. Then `exited` would not resolve.
    await failOnLeaks(tag, { startedBy: name, graceMs: options.graceMs });
    await exited;
  });

  return {
    name,
    pid,
    output,
    exited,
    get running() {
      return isRunning();
    },
    waitForLog: (predicate, waitOptions) =>
      waitForLog({ name, output, exited, predicate, ...waitOptions }),
    kill: async (signal = 'SIGKILL') => {
      send(signal);
      return exited;
    },
    stop: async () => {
      send('SIGTERM');
      return exited;
    },
    pause: () => send('SIGSTOP'),
    resume: () => send('SIGCONT'),
    signal: send,
  };
}

interface WaitForLogOptions extends WaitOptions {
  readonly name: string;
  readonly output: Output;
  readonly exited: Promise<Exit>;
  readonly predicate: (line: LogLine) => boolean;
}

async function waitForLog(options: WaitForLogOptions): Promise<LogLine> {
  const { name, output, exited, predicate, what = String(predicate) } = options;
  const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
  const fail = (how: string) =>
    reject(new Error(`${name} ${how} before it logged ${what}; its last lines:\n${output.tail()}`));
  let seen = 0;
  const look = () => {
    for (; seen < output.logs.length; seen += 1) {
      const line = output.logs[seen];
      if (line !== undefined && predicate(line)) return resolve(line);
    }
  };
  const unsubscribe = output.onLine(look);
  const timer = setTimeout(() => fail(`had ${WAITING_MS} ms`), WAITING_MS);
  look();
  exited.then(({ code, signal }) => fail(`ended with ${signal ?? code}`), reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    unsubscribe();
  }
}

/** The child processes to kill if the process of the tests ends early. */
const killWithUs = new Set<number>();
process.once('exit', () => {
  for (const pid of killWithUs) killIfThere(pid);
});
