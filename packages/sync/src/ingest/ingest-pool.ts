import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { onAbort, SynclineError, toSynclineError } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import {
  type Blob,
  claimTermination,
  createTerminationLock,
  type TerminationLock,
} from '@syncline/snapshot';
import type { MemoryAccount, MemoryBudget, Reservation } from '@syncline/sources';
import { Piscina } from 'piscina';
import { Semaphore } from '../capacity/capacity.ts';
import {
  type FilterTask,
  type IngestAnswer,
  type IngestEnd,
  type IngestQuestion,
  type IngestResult,
  type IngestTask,
  type MemberBlobs,
  OutOfOrder,
} from './messages.ts';
import { threadCpuMs } from './thread-cpu.ts';

/** Idle threads have memory that waiting runs may need. */
const THREAD_IDLE_TIMEOUT_MS = 10_000;
/** What a thread needs beside its young generation and the rows that it keeps: modules, compression. Measured. */
const THREAD_BASE_BYTES = 56 * 1024 * 1024;
/** The processor time of a thread for one body, or for one step of a build. The largest real ones take seconds. */
const STEP_CPU_MS = 30_000;
const STEP_CHECKS = 20;
/** A row lives until its compression. With a young generation of this size, garbage collections rarely move rows. */
const YOUNG_GENERATION_MB = 64;
/** With less memory, more threads matter more than their speed. */
const SMALL_YOUNG_GENERATION_MB = 16;
const AMPLE_BYTES = 1024 * 1024 * 1024;
/** The body of a small registry, with its rows. */
const SMALL_ROWS_BYTES = 4 * 1024 * 1024;
/**
 * The heap of a thread, for each byte that its run may keep. V8 may end the whole process if the heap of a thread is
 * full, so the counted limit must be far below.
 */
const HEAP_RATIO = 3;
const LEAST_HEAP_MB = 384;
const MIB = 1024 * 1024;

export interface IngestPoolOptions {
  /** How many runs may do heavy work at once in this process. */
  readonly heavyRuns: number;
  /** The memory of all runs. It also decides how many threads there can be. */
  readonly memory: MemoryBudget;
  /** Default: a multiple of what one run may keep. */
  readonly threadHeapMb?: number | undefined;
  /** The processor time of a thread for one body, or for one step of a build. Default: 30,000. */
  readonly stepCpuMs?: number | undefined;
  /** Creates the lock that coordinates a session's thread with its termination. */
  readonly createLock?: () => TerminationLock;
}

export interface BuildOptions {
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Reads chunks of the registry itself, or of another registry. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
}

export interface OpenOptions extends Pick<IngestTask, 'order' | 'previous' | 'view' | 'detail'> {
  /** Ends the session, even during a computation. */
  readonly signal: AbortSignal;
  /** The credentials that the run has used. The run may add more before each body. */
  readonly credentials?: ReadonlySet<string>;
  /** The memory of the run. */
  readonly memory: MemoryAccount;
}

/** Threads for heavy work, so that no large or hostile registry can block the process. */
export class IngestPool {
  /** A session takes a slot while it decodes a body or builds a snapshot, but never while it waits for a body. */
  readonly capacity: Semaphore;
  readonly memory: MemoryBudget;
  readonly #threads: Piscina<IngestTask, IngestEnd>;
  readonly #createLock: () => TerminationLock;
  readonly #stepCpuMs: number;
  readonly #maxRetainedBytes: number;
  readonly #threadBytes: number;
  /** The locks of all working threads. */
  readonly #locks = new Set<TerminationLock>();

  constructor({
    heavyRuns,
    memory,
    threadHeapMb,
    stepCpuMs = STEP_CPU_MS,
    createLock = createTerminationLock,
  }: IngestPoolOptions) {
    const isAmple = memory.totalBytes >= AMPLE_BYTES;
    const youngGenerationMb = isAmple ? YOUNG_GENERATION_MB : SMALL_YOUNG_GENERATION_MB;
    const threadBytes = THREAD_BASE_BYTES + youngGenerationMb * MIB;
    memory.keepForSmall(threadBytes + SMALL_ROWS_BYTES);
    const heapMb = Math.max(LEAST_HEAP_MB, (HEAP_RATIO * memory.mostBytes) / MIB);
    this.#threadBytes = threadBytes;
    this.#createLock = createLock;
    this.#stepCpuMs = stepCpuMs;
    this.#maxRetainedBytes = memory.mostBytes - threadBytes;
    this.capacity = new Semaphore(heavyRuns);
    this.memory = memory;
    this.#threads = new Piscina<IngestTask, IngestEnd>({
      filename: new URL('./ingest-thread.ts', import.meta.url).href,
      // One thread starts at once, because loading its modules takes half a second.
      minThreads: 1,
      maxThreads: Math.max(heavyRuns, Math.floor(memory.totalBytes / threadBytes)),
      idleTimeout: THREAD_IDLE_TIMEOUT_MS,
      resourceLimits: {
        maxOldGenerationSizeMb: threadHeapMb ?? heapMb,
        maxYoungGenerationSizeMb: youngGenerationMb,
      },
    });
    memory.addOthers(() => this.#idleThreads() * threadBytes);
    this.#threads.on('workerDestroy', () => memory.wake());
  }

  /** The threads without a session, except the one that always exists. */
  #idleThreads(): number {
    return Math.max(0, this.#threads.threads.length - Math.max(1, this.#locks.size));
  }

  /** Opens a session. The session's thread starts with the first body. */
  open(options: OpenOptions): IngestSession {
    return new IngestSession(options, {
      capacity: this.capacity,
      createLock: this.#createLock,
      stepCpuMs: this.#stepCpuMs,
      maxRetainedBytes: this.#maxRetainedBytes,
      threadBytes: this.#threadBytes,
      run: (task, signal) => this.#run(task, signal),
    });
  }

  /** Rejects with the reason when the thread's work has ended. */
  async #run(task: IngestTask, signal: AbortSignal): Promise<never> {
    signal.throwIfAborted();
    const { port, lock } = task;
    const thread = new AbortController();
    using _listening = onAbort(signal, () => {
      void claimTermination(lock).then(() => thread.abort(signal.reason));
    });
    this.#locks.add(lock);
    let end: IngestEnd;
    try {
      end = await this.#threads.run(task, { transferList: [port], signal: thread.signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : threadError(error);
    } finally {
      this.#locks.delete(lock);
    }
    throw endError(end);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#locks].map(claimTermination));
    await this.#threads.destroy();
  }
}

/** Created once, because every closed session ends with this error. Only a bug in Syncline shows it. */
const ENDED_EARLY = new SynclineError(
  'internal',
  'the ingest thread ended before its work was complete',
);

function endError(end: IngestEnd): Error {
  switch (end.kind) {
    case 'failed':
      return new SynclineError(end.code, end.message);
    case 'out-of-order':
      return new OutOfOrder();
    case 'closed':
      return ENDED_EARLY;
  }
}

function threadError(error: unknown): SynclineError {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = 'the registry needs more memory than a run may use';
    return new SynclineError('run-out-of-memory', message, { cause: error });
  }
  return toSynclineError(error);
}

interface SessionPool {
  readonly capacity: Semaphore;
  readonly createLock: () => TerminationLock;
  readonly stepCpuMs: number;
  readonly maxRetainedBytes: number;
  readonly threadBytes: number;
  readonly run: (task: IngestTask, signal: AbortSignal) => Promise<never>;
}

interface SessionThread {
  readonly port: MessagePort;
  readonly ended: Promise<never>;
  readonly threadNumber: Int32Array<SharedArrayBuffer>;
}

/** The work of one run in its thread. */
export class IngestSession {
  readonly #options: OpenOptions;
  readonly #pool: SessionPool;
  readonly #expired = new AbortController();
  #thread: SessionThread | undefined;
  #reservation: Reservation | undefined;
  /** What the thread keeps of the bodies before. */
  #retainedBytes = 0;

  constructor(options: OpenOptions, pool: SessionPool) {
    this.#options = options;
    this.#pool = pool;
  }

  /**
   * Parses one body. Returns while the thread is still taking the rows. Moves the bytes to the thread, so that `body`
   * is empty afterwards.
   *
   * @throws SynclineError for this body or an earlier one. One invalid body fails all bodies, because a half-read
   *   folder would look as if the other half had been deleted. {@link OutOfOrder}
   */
  async add(body: Uint8Array, origin: BodyOrigin = {}): Promise<BodySummary> {
    // The thread may keep all rows of the body.
    await this.#reserve(this.#retainedBytes + body.length);
    return this.#withCapacity(async () => {
      const secrets = [...(this.#options.credentials ?? [])];
      const answer = await this.#ask({ kind: 'body', body, origin, secrets });
      if (answer.kind !== 'summary') throw unexpected(answer);
      this.#retainedBytes = answer.retainedBytes;
      return answer.summary;
    });
  }

  /**
   * Builds the snapshot of all rows.
   *
   * @param options.removals the removed rows, if the rows are a delta of `previous`. Needs the order `buffered`
   */
  build({
    readChunks,
    ...work
  }: BuildOptions & { removals?: readonly RowKey[] | undefined }): Promise<IngestResult> {
    return this.#untilBuilt({ kind: 'build', ...work }, readChunks);
  }

  /** Builds the view of `previous` instead. */
  derive({ readChunks, nowMs }: BuildOptions): Promise<IngestResult> {
    return this.#untilBuilt({ kind: 'derive', nowMs }, readChunks);
  }

  /** Builds the snapshot of a catalog from its members' snapshots instead. */
  merge({
    readChunks,
    ...work
  }: BuildOptions & FilterTask & { members: readonly MemberBlobs[] }): Promise<IngestResult> {
    return this.#untilBuilt({ kind: 'merge', ...work }, readChunks);
  }

  [Symbol.dispose](): void {
    this.#thread?.port.postMessage({ kind: 'close' } satisfies IngestQuestion);
    this.#thread?.port.close();
    this.#reservation?.[Symbol.dispose]();
  }

  /** Reserves the memory of the thread and of the rows in it. Waits before it takes a slot, never with a slot. */
  async #reserve(retainedBytes: number): Promise<void> {
    const { memory, signal } = this.#options;
    this.#reservation ??= await memory.reserve(0, { use: 'ingest', signal });
    await this.#reservation.resize(this.#pool.threadBytes + retainedBytes);
  }

  async #untilBuilt(
    question: IngestQuestion,
    readChunks: BuildOptions['readChunks'],
  ): Promise<IngestResult> {
    await this.#reserve(this.#retainedBytes);
    return this.#withCapacity(async () => {
      let answer = await this.#ask(question);
      while (answer.kind === 'need-chunks') {
        const chunks = await readChunks(answer.digests, answer.registry);
        answer = await this.#ask({ kind: 'chunks', chunks });
      }
      if (answer.kind !== 'built') throw unexpected(answer);
      return answer.built;
    });
  }

  async #withCapacity<Result>(work: () => Promise<Result>): Promise<Result> {
    // A session with rows in its thread goes first: the fewer threads have rows, the less memory is needed.
    const isUrgent = this.#thread !== undefined;
    const slot = await this.#pool.capacity.acquire(this.#options.signal, { isUrgent });
    try {
      return await work();
    } finally {
      // After its last body, a run immediately asks for a slot again, to build the snapshot.
      setImmediate(() => slot.release());
    }
  }

  async #ask(question: IngestQuestion): Promise<IngestAnswer> {
    this.#thread ??= this.#start();
    const { port, ended } = this.#thread;
    const answered = new Promise<IngestAnswer>((resolve) => {
      port.once('message', resolve);
    });
    port.postMessage(question, question.kind === 'body' ? ownBuffer(question.body) : []);
    using _limit = this.#limitStep();
    return await Promise.race([answered, ended]);
  }

  /** Ends the thread if its step takes too much processor time. A machine that is busy or frozen does not count. */
  #limitStep(): Disposable {
    const { stepCpuMs } = this.#pool;
    const { threadNumber } = this.#thread ?? this.#start();
    let startMs: number | undefined;
    const check = async () => {
      const cpuMs = await threadCpuMs(threadNumber[0] ?? 0);
      startMs ??= cpuMs;
      if (cpuMs === undefined || startMs === undefined || cpuMs - startMs < stepCpuMs) return;
      const what = `the registry needs more than ${stepCpuMs} ms of processor time to be parsed or built`;
      this.#expired.abort(new SynclineError('run-cpu-exceeded', what));
    };
    const timer = setInterval(() => void check(), stepCpuMs / STEP_CHECKS);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  #start(): SessionThread {
    const { signal, memory: _memory, credentials: _credentials, ...options } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const { maxRetainedBytes, createLock } = this.#pool;
    const threadNumber = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const task = { ...options, maxRetainedBytes, threadNumber, port: port2, lock: createLock() };
    const ended = this.#pool.run(task, AbortSignal.any([signal, this.#expired.signal]));
    // The next question gets the error. Without a next question, this prevents an unhandled rejection.
    ended.catch(() => {});
    return { port: port1, ended, threadNumber };
  }
}

/** Returns the buffer of the bytes if it contains nothing else. The thread then gets it without a copy. */
function ownBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

function unexpected({ kind }: IngestAnswer): SynclineError {
  return new SynclineError('internal', `the ingest thread gave an unexpected answer: ${kind}`);
}
