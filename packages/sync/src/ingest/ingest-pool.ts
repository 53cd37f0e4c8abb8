import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { onAbort, SynclineError, toSynclineError } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import {
  type Blob,
  claimTermination,
  createTerminationLock,
  type TerminationLock,
} from '@syncline/snapshot';
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

const THREAD_IDLE_TIMEOUT_MS = 60_000;
/** More than a worker has runs: a run keeps its thread while it waits for its next body. */
const MAX_THREADS = 1_024;
/** Rows live until they are compressed. In a young generation of this size few are ever moved. */
const YOUNG_GENERATION_MB = 64;

export interface IngestPoolOptions {
  /** How many runs may do heavy work at once in this process. */
  readonly heavyRuns: number;
  /** Heap of each thread. A run that needs more fails; other runs are not affected. */
  readonly threadHeapMb?: number | undefined;
  /** Makes the lock between a session's thread and its termination. */
  readonly createLock?: () => TerminationLock;
}

export interface BuildOptions {
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Reads chunks of the registry itself, or of another one. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
}

export interface OpenOptions extends Pick<IngestTask, 'order' | 'previous' | 'view' | 'detail'> {
  /** Ends the session, also in the middle of a computation. */
  readonly signal: AbortSignal;
}

/** Threads for heavy work. Neither a large registry nor a hostile one can block the process. */
export class IngestPool {
  /** Taken while a body is decoded or a snapshot is built, and never while a body is on its way. */
  readonly capacity: Semaphore;
  readonly #threads: Piscina<IngestTask, IngestEnd>;
  readonly #createLock: () => TerminationLock;
  /** The locks of all threads that work. */
  readonly #locks = new Set<TerminationLock>();

  constructor({
    heavyRuns,
    threadHeapMb = 768,
    createLock = createTerminationLock,
  }: IngestPoolOptions) {
    this.#createLock = createLock;
    this.capacity = new Semaphore(heavyRuns);
    this.#threads = new Piscina<IngestTask, IngestEnd>({
      filename: new URL('./ingest-thread.ts', import.meta.url).href,
      // One thread starts at once: its modules take half a second to load.
      minThreads: 1,
      maxThreads: MAX_THREADS,
      idleTimeout: THREAD_IDLE_TIMEOUT_MS,
      resourceLimits: {
        maxOldGenerationSizeMb: threadHeapMb,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      },
    });
  }

  /** Opens a session. Its thread starts with the first body. */
  open(options: OpenOptions): IngestSession {
    return new IngestSession(options, {
      capacity: this.capacity,
      createLock: this.#createLock,
      run: (task) => this.#run(task, options.signal),
    });
  }

  /** Rejects when the work of the thread has ended, with the reason. */
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

/** Made once: each session that is closed ends with it, and only a fault of ours shows it. */
const ENDED_EARLY = new SynclineError('internal', 'the ingest thread ended before its work did');

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
    const message = 'the registry needs more memory than a run may have';
    return new SynclineError('run-out-of-memory', message, { cause: error });
  }
  return toSynclineError(error);
}

interface SessionPool {
  readonly capacity: Semaphore;
  readonly createLock: () => TerminationLock;
  readonly run: (task: IngestTask) => Promise<never>;
}

/** The work of one run in its thread. */
export class IngestSession {
  readonly #options: OpenOptions;
  readonly #pool: SessionPool;
  #thread: { readonly port: MessagePort; readonly ended: Promise<never> } | undefined;

  constructor(options: OpenOptions, pool: SessionPool) {
    this.#options = options;
    this.#pool = pool;
  }

  /**
   * Parses one body. Returns while its rows are still being taken. The bytes go to the thread, and are empty afterwards.
   *
   * @throws SynclineError for this body or an earlier one. One invalid body of several fails them all: a folder of which
   *   half was read would look as if the other half had been deleted. {@link OutOfOrder}
   */
  add(body: Uint8Array, origin: BodyOrigin = {}): Promise<BodySummary> {
    return this.#withCapacity(async () => {
      const answer = await this.#ask({ kind: 'body', body, origin });
      if (answer.kind !== 'summary') throw unexpected(answer);
      return answer.summary;
    });
  }

  /**
   * Builds the snapshot of all rows taken.
   *
   * @param options.removals given if the rows are a delta of `previous`, in the order `buffered`: what it removes
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

  /** Builds the snapshot of a catalog from those of its registries instead. */
  merge({
    readChunks,
    ...work
  }: BuildOptions & FilterTask & { members: readonly MemberBlobs[] }): Promise<IngestResult> {
    return this.#untilBuilt({ kind: 'merge', ...work }, readChunks);
  }

  [Symbol.dispose](): void {
    this.#thread?.port.postMessage({ kind: 'close' } satisfies IngestQuestion);
    this.#thread?.port.close();
  }

  #untilBuilt(
    question: IngestQuestion,
    readChunks: BuildOptions['readChunks'],
  ): Promise<IngestResult> {
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
      // After its last body a run asks again at once, to build.
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
    return Promise.race([answered, ended]);
  }

  #start() {
    const { signal: _signal, ...options } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const ended = this.#pool.run({ ...options, port: port2, lock: this.#pool.createLock() });
    // The next question gets the error. Without one there is no unhandled rejection.
    ended.catch(() => {});
    return { port: port1, ended };
  }
}

/** Returns the memory of the bytes if it has no others. It is then not copied. */
function ownBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

function unexpected({ kind }: IngestAnswer): SynclineError {
  return new SynclineError('internal', `the ingest thread gave an unexpected answer: ${kind}`);
}
