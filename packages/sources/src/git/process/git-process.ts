import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort, SynclineError } from '@syncline/contract';
import type { MemoryAccount } from '../../memory/memory-account.ts';
import { LEAST_GIT_VERSION } from './git-version.ts';

/** Keeps only the last bytes of git's standard error. More text would not help. */
const MAX_STDERR_BYTES = 16 * 1024;
const DEFAULT_MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

export interface GitCommand {
  readonly args: readonly string[];
  /** The complete environment: git inherits no variables from this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string | undefined;
  /**
   * A secret for git's credential helper, which reads it from descriptor 3. The secret does not appear in
   * arguments, variables or files.
   */
  readonly credential?: string | undefined;
}

export interface GitLimits {
  readonly signal: AbortSignal;
  /** The timeout of the command. Default: unlimited. */
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
  /** Called several times a second. If it throws an error, the command ends. */
  readonly watch?: () => Promise<void>;
  /** The memory of the run. Without it, git gets only little memory. */
  readonly memory?: MemoryAccount;
  /**
   * The memory limit of git and its child processes together. It applies only on systems with `/proc`. The system
   * limits each of the processes to a little more.
   */
  readonly maxMemoryBytes?: number;
}

/** Thrown if git exits by itself with an error. */
export class GitFailure extends Error {
  override readonly name = 'GitFailure';
  readonly stderr: string;

  constructor(command: string, { stderr, exit }: { stderr: string; exit: string }) {
    super(`git ${command} ended with ${exit}`);
    this.stderr = stderr;
  }
}

const WATCH_EVERY_MS = 100;
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** The stacks of threads count for the limit of a process, too. */
const STACK_BYTES = 32 * 1024 * 1024;
/** The shell limits the data of git and of its child processes, and then becomes git. */
const LIMITED = 'ulimit -d "$0" 2>/dev/null; exec git "$@"';
const NOT_FOUND_STATUS = 127;

/** A running git and its child processes. They form one process group and end together. */
export class GitProcess {
  readonly child: ChildProcess;
  readonly #command: string;
  readonly #maxMemoryBytes: number;
  readonly #exited: Promise<string>;
  #stderr = '';
  #stopReason: { readonly error: unknown } | undefined;
  #ending: Promise<void> | undefined;
  /** Whether all processes of the group have ended. The system may then reuse the number of the group. */
  #isGroupGone = false;
  readonly #limits = new DisposableStack();

  /** Starts git. @throws the reason of an aborted signal */
  constructor({ args, env, input, credential }: GitCommand, limits: GitLimits) {
    limits.signal.throwIfAborted();
    this.#command = args.find((arg) => /^[a-z][a-z-]+$/.test(arg)) ?? '';
    const { maxMemoryBytes = MAX_MEMORY_BYTES } = limits;
    this.#maxMemoryBytes = maxMemoryBytes;
    const dataKib = String(Math.ceil((maxMemoryBytes + STACK_BYTES) / 1024));
    this.child = spawn('/bin/sh', ['-c', LIMITED, dataKib, ...args], {
      // The current directory could belong to a repository, and git would read the config of that
      // repository.
      cwd: '/',
      env,
      // Starts git in a new process group, without a terminal for prompts.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', credential === undefined ? 'ignore' : 'pipe'],
    });
    this.#exited = this.#watchExit();
    // `finish` reports the error. Without this handler, the rejection could be unhandled.
    this.#exited.catch(() => {});
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR_BYTES);
    });
    this.#write(0, input);
    this.#write(3, credential);
    this.#applyLimits(limits);
  }

  /** Returns the standard output after git has succeeded. @throws GitFailure, SynclineError */
  async output(maxBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    this.child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else this.#exceed(`gave more than ${maxBytes} bytes`);
    });
    await this.finish();
    return Buffer.concat(chunks);
  }

  /** Waits until git and its child processes have exited. @throws GitFailure, or the reason of `stop` */
  async finish(): Promise<void> {
    try {
      const exit = await this.#exited;
      if (this.#stopReason !== undefined) throw this.#stopReason.error;
      if (/\bout of memory\b/i.test(this.#stderr)) throw this.#outOfMemory();
      if (exit !== 'status 0') throw new GitFailure(this.#command, { stderr: this.#stderr, exit });
    } finally {
      await this.end();
    }
  }

  /** Stops git with a reason, which `finish` then throws. */
  stop(error: unknown): void {
    this.#stopReason ??= { error };
    void this.end();
  }

  /** Ends git and its process group. Can be called at any time. */
  async end(): Promise<void> {
    this.#limits.dispose();
    this.#ending ??= this.#endGroup();
    await this.#ending;
  }

  async #endGroup(): Promise<void> {
    const { pid } = this.child;
    if (pid !== undefined && !this.#isGroupGone) await endProcessGroup(pid);
    for (const stream of this.child.stdio) stream?.destroy();
    await this.#exited.catch(() => undefined);
  }

  async #watchExit(): Promise<string> {
    const { child } = this;
    const closed = once(child, 'close').catch(() => undefined);
    try {
      const [code, signal] = await once(child, 'exit');
      // A leftover child process may hold the pipes open, so end the group before waiting for the pipes.
      if (child.pid !== undefined) await endProcessGroup(child.pid);
      this.#isGroupGone = true;
      await closed;
      if (code === NOT_FOUND_STATUS) throw new Error('not found');
      return code === null ? `signal ${signal}` : `status ${code}`;
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      const what = `cannot run git: ${problem}. Install git ${LEAST_GIT_VERSION} or newer on every machine with a worker`;
      throw new SynclineError('source-git-failed', what, { cause });
    }
  }

  #write(descriptor: 0 | 3, text: string | undefined): void {
    const stream = this.child.stdio[descriptor];
    if (stream === null || stream === undefined || !('write' in stream)) return;
    // If git exits without reading its input, its exit status explains why.
    stream.on('error', () => {});
    if (descriptor === 3 || text !== undefined) stream.end(text);
  }

  #applyLimits({ signal, memory, timeoutMs, watch }: GitLimits): void {
    for (const ending of memory === undefined ? [signal] : [signal, memory.signal]) {
      this.#limits.use(onAbort(ending, () => this.stop(ending.reason)));
    }
    if (timeoutMs !== undefined) {
      const what = `git ${this.#command} took longer than ${timeoutMs} ms`;
      const timeout = () => this.stop(new SynclineError('source-timeout', what));
      this.#limits.adopt(setTimeout(timeout, timeoutMs), clearTimeout);
    }
    const check = async () => {
      const memoryBytes = await groupMemoryBytes(this.child.pid ?? 0);
      if (memoryBytes > this.#maxMemoryBytes) this.stop(this.#outOfMemory());
      await watch?.().catch((error: unknown) => this.stop(error));
    };
    const timer = setInterval(() => void check().catch(() => undefined), WATCH_EVERY_MS);
    this.#limits.adopt(timer, clearInterval);
  }

  #exceed(what: string): void {
    this.stop(new SynclineError('source-too-large', `git ${this.#command} ${what}`));
  }

  #outOfMemory(): SynclineError {
    const what = `git ${this.#command} needs more memory than it may use: ${this.#maxMemoryBytes} bytes`;
    return new SynclineError('source-too-large', what);
  }
}

/**
 * Runs git until it exits, and returns its output. @throws GitFailure, SynclineError, the signal's reason
 */
export async function runGit(command: GitCommand, limits: GitLimits): Promise<Buffer> {
  const process = new GitProcess({ ...command, input: command.input ?? '' }, limits);
  return process.output(limits.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES);
}

/** How long processes have to exit after SIGTERM. Git deletes its lock files in this time. */
const TERM_GRACE_MS = 2_000;
const KILL_GRACE_MS = 3_000;
const CHECK_EVERY_MS = 10;

/** Ends all processes of a group, and waits until no process of the group is running. */
async function endProcessGroup(leader: number): Promise<void> {
  for (const [signal, graceMs] of [
    ['SIGTERM', TERM_GRACE_MS],
    ['SIGKILL', KILL_GRACE_MS],
  ] as const) {
    if (!signalGroup(leader, signal)) return;
    if (await isGone(leader, graceMs)) return;
  }
}

async function isGone(leader: number, withinMs: number): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (performance.now() < untilMs) {
    if (!signalGroup(leader, 0) || !(await isAnyRunning(leader))) return true;
    await sleep(CHECK_EVERY_MS);
  }
  return false;
}

/** Returns the resident memory of all processes of a group. Returns 0 on systems without `/proc`. */
async function groupMemoryBytes(leader: number): Promise<number> {
  const members = await membersOf(leader);
  return (members ?? []).reduce((total, { memoryBytes }) => total + memoryBytes, 0);
}

/**
 * Returns whether a process of a group is running; true on systems without `/proc`. Zombies do not count:
 * a zombie stays in the process table until the init process of the machine or container reaps it.
 */
async function isAnyRunning(leader: number): Promise<boolean> {
  const members = await membersOf(leader);
  return members === undefined || members.some(({ state }) => state !== 'Z');
}

async function membersOf(leader: number) {
  const names = await readdir('/proc').catch(() => undefined);
  if (names === undefined) return undefined;
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return found.filter(({ group }) => group === leader);
}

const PAGE_BYTES = 4_096;
/** The index of the resident pages among the fields of proc(5), counted from the state. */
const RESIDENT_FIELD = 21;

async function readProcess(pid: string) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name is in parentheses and may contain any character. After it come state, parent and group.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', , group] = fields;
  const memoryBytes = Number(fields[RESIDENT_FIELD] ?? 0) * PAGE_BYTES;
  return { state, group: Number(group), memoryBytes };
}

/** Sends a signal to a process group. Returns whether the group has a process. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
