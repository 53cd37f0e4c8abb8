import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort, SynclineError } from '@syncline/contract';

/** More of what git says on its standard error is of no use to anyone. */
const MAX_STDERR_BYTES = 16 * 1024;
const DEFAULT_MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

export interface GitCommand {
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  /** What git's credential helper finds at descriptor 3, and nobody else anywhere. */
  readonly credential?: string | undefined;
}

export interface GitLimits {
  readonly signal: AbortSignal;
  /** None where unset. */
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
  /** Ends the call with an error when it gives one; asked now and then. */
  readonly watch?: () => Promise<SynclineError | undefined>;
  /** Of git and what it starts together, where that can be told. */
  readonly maxMemoryBytes?: number;
}

/** Git has ended by itself, and not well. */
export class GitFailure extends Error {
  override readonly name = 'GitFailure';
  readonly stderr: string;

  constructor(command: string, { stderr, exit }: { stderr: string; exit: string }) {
    super(`git ${command} ended with ${exit}`);
    this.stderr = stderr;
  }
}

const WATCH_EVERY_MS = 200;
const MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024;

/** A running git, and whatever it starts: they are one group, and end together. */
export class GitProcess {
  readonly child: ChildProcess;
  readonly #command: string;
  readonly #exited: Promise<string>;
  #stderr = '';
  #stopReason: { readonly error: unknown } | undefined;
  #ending: Promise<void> | undefined;
  /** Nobody of the group is left: its number may be another one's by now. */
  #isGroupGone = false;
  readonly #release: (() => void)[] = [];

  /** @throws the signal's reason where it is aborted already */
  constructor({ args, env, input, credential }: GitCommand, limits: GitLimits) {
    limits.signal.throwIfAborted();
    this.#command = args.find((arg) => /^[a-z][a-z-]+$/.test(arg)) ?? '';
    this.child = spawn('git', args, {
      // Not where we were started: a repository may lie there, with a config of its own.
      cwd: '/',
      env,
      // A group of its own, without a terminal that anybody could be asked at.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', credential === undefined ? 'ignore' : 'pipe'],
    });
    this.#exited = this.#watchExit();
    // Whoever waits for it is told; nobody waiting is no unhandled rejection.
    this.#exited.catch(() => {});
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR_BYTES);
    });
    this.#write(0, input);
    this.#write(3, credential);
    this.#applyLimits(limits);
  }

  /** Everything on standard output, once git has ended well. @throws GitFailure, SynclineError */
  async output(maxBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    this.child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else this.stop(outputTooLarge(this.#command, maxBytes));
    });
    await this.finish();
    return Buffer.concat(chunks);
  }

  /** Waits until git, and what it has started, has ended. @throws GitFailure where it failed; why it was stopped */
  async finish(): Promise<void> {
    try {
      const exit = await this.#exited;
      if (this.#stopReason !== undefined) throw this.#stopReason.error;
      if (exit !== 'status 0') {
        throw new GitFailure(this.#command, { stderr: this.#stderr, exit });
      }
    } finally {
      await this.end();
    }
  }

  /** Ends it for a reason, which `finish` then throws. */
  stop(error: unknown): void {
    this.#stopReason ??= { error };
    void this.end();
  }

  /** Ends git and its group, however far it is. */
  async end(): Promise<void> {
    for (const release of this.#release.splice(0)) release();
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
      // A child of its that is left over may hold on to the pipes: then nothing would ever close.
      if (child.pid !== undefined) await endProcessGroup(child.pid);
      this.#isGroupGone = true;
      await closed;
      return code === null ? `signal ${signal}` : `status ${code}`;
    } catch (cause) {
      throw cannotStart(cause);
    }
  }

  #write(descriptor: 0 | 3, text: string | undefined): void {
    const stream = this.child.stdio[descriptor];
    if (stream === null || stream === undefined || !('write' in stream)) return;
    // Whoever ends without having read says why by other means.
    stream.on('error', () => {});
    if (descriptor === 3 || text !== undefined) stream.end(text);
  }

  #applyLimits({ signal, timeoutMs, watch, maxMemoryBytes = MAX_MEMORY_BYTES }: GitLimits): void {
    const listening = onAbort(signal, () => this.stop(signal.reason));
    this.#release.push(() => listening[Symbol.dispose]());
    if (timeoutMs !== undefined) {
      const timer = setTimeout(() => this.stop(tookTooLong(this.#command, timeoutMs)), timeoutMs);
      this.#release.push(() => clearTimeout(timer));
    }
    const look = async () => {
      const memoryBytes = await groupMemoryBytes(this.child.pid ?? 0);
      if (memoryBytes > maxMemoryBytes) this.stop(tooMuchMemory(this.#command, maxMemoryBytes));
      const error = await watch?.();
      if (error !== undefined) this.stop(error);
    };
    const timer = setInterval(() => void look().catch(() => undefined), WATCH_EVERY_MS);
    this.#release.push(() => clearInterval(timer));
  }
}

/** Runs git to its end. @throws GitFailure, SynclineError, the signal's reason */
export async function runGit(command: GitCommand, limits: GitLimits): Promise<Buffer> {
  const process = new GitProcess({ input: '', ...command }, limits);
  return process.output(limits.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES);
}

function tookTooLong(command: string, timeoutMs: number): SynclineError {
  return new SynclineError('source-timeout', `git ${command} took longer than ${timeoutMs} ms`);
}

function outputTooLarge(command: string, maxBytes: number): SynclineError {
  return new SynclineError('source-too-large', `git ${command} gave more than ${maxBytes} bytes`);
}

function tooMuchMemory(command: string, maxBytes: number): SynclineError {
  return new SynclineError('source-too-large', `git ${command} took too much memory`, {
    expected: `at most ${maxBytes} bytes`,
  });
}

function cannotStart(cause: unknown): SynclineError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new SynclineError('source-git-failed', `cannot run git: ${code}`, {
    expected: 'git 2.30 or later where the worker runs',
    cause,
  });
}

/** How long processes have to end in order: git takes away its own lock files meanwhile. */
const TERM_GRACE_MS = 2_000;
/** Nothing outlives SIGKILL for long. */
const KILL_GRACE_MS = 3_000;
const LOOK_EVERY_MS = 10;

/**
 * Ends a process that leads a group, and all others of that group.
 *
 * @returns when none of them is running
 */
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
    await sleep(LOOK_EVERY_MS);
  }
  return false;
}

/** What a group has of the machine's memory; 0 without `/proc`. */
async function groupMemoryBytes(leader: number): Promise<number> {
  const members = await membersOf(leader);
  return (members ?? []).reduce((total, { memoryBytes }) => total + memoryBytes, 0);
}

/**
 * Whether one of a group is more than an entry in the table of processes: orphans stay there until the
 * first process of the machine, or of the container, gets round to them. Without `/proc`: yes.
 */
async function isAnyRunning(leader: number): Promise<boolean> {
  const members = await membersOf(leader);
  return members === undefined || members.some(({ state }) => state !== 'Z');
}

interface Member {
  readonly group: number;
  readonly state: string;
  readonly memoryBytes: number;
}

async function membersOf(leader: number): Promise<Member[] | undefined> {
  const names = await readdir('/proc').catch(() => undefined);
  if (names === undefined) return undefined;
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return found.filter(({ group }) => group === leader);
}

const PAGE_BYTES = 4_096;
/** Where proc(5) has the pages that are resident, counted from the state. */
const RESIDENT_FIELD = 21;

async function readProcess(pid: string): Promise<Member> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // After the name, which stands in parentheses and may hold anything: state, parent, group.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', , group] = fields;
  const memoryBytes = Number(fields[RESIDENT_FIELD] ?? 0) * PAGE_BYTES;
  return { state, group: Number(group), memoryBytes };
}

/** @returns whether there is anybody left to take it */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
