import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { onAbort, SynclineError, toSynclineError } from '@syncline/contract';
import type { BodyOrigin, BodySummary, RowKey } from '@syncline/rows';
import { type Blob, claimEnd, createEndLock, type EndLock } from '@syncline/snapshot';
import { Piscina } from 'piscina';
import { Semaphore } from '../capacity/semaphore.ts';
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

/** More rows than this are no registry that anyone runs today; the official one has some 100,000. */
const MAX_ROWS = 2_000_000;
const THREAD_IDLE_TIMEOUT_MS = 60_000;
/** More than a worker has runs: a run keeps its thread while its next body is on the way. */
const MAX_THREADS = 1_024;
/** Rows live as long as it takes to compress them: with room for that, few are ever moved. */
const YOUNG_GENERATION_MB = 32;

export interface IngestPoolOptions {
  /** How many runs may do heavy work at once in this process. */
  readonly heavyRuns: number;
  /** Heap of each thread; a run that needs more fails by itself, and nothing else does. */
  readonly threadHeapMb?: number;
}

/** The work of one run in its thread. */
export interface IngestSession {
  /**
   * Parses one body; its rows are taken meanwhile. The bytes go to the thread, and are empty afterwards.
   *
   * @throws SynclineError for this body or the one before, also where one of several is no registry: a
   *   folder of which half was read would look as if the other half had been deleted; {@link OutOfOrder}
   */
  add(body: Uint8Array, origin?: BodyOrigin): Promise<BodySummary>;
  /**
   * Builds the snapshot of all rows taken.
   *
   * @param options.removals given if the rows are a delta of `previous`, in the order `buffered`: what it removes
   */
  build(
    options: BuildOptions & { removals?: readonly RowKey[] | undefined },
  ): Promise<IngestResult>;
  /** Builds the view of `previous` instead. */
  derive(options: BuildOptions): Promise<IngestResult>;
  /** Builds the snapshot of a catalog from those of its registries instead. */
  merge(
    options: BuildOptions & FilterTask & { members: readonly MemberBlobs[] },
  ): Promise<IngestResult>;
  close(): void;
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

/** Threads for heavy work, so that neither a large registry nor a hostile one can block the process. */
export class IngestPool {
  /** Held while a body is decoded or a snapshot is built, and never while a body is on its way. */
  readonly capacity: Semaphore;
  readonly #threads: Piscina<IngestTask, IngestEnd>;
  /** Of all threads that work. */
  readonly #endLocks = new Set<EndLock>();

  constructor({ heavyRuns, threadHeapMb = 768 }: IngestPoolOptions) {
    this.capacity = new Semaphore(heavyRuns);
    this.#threads = new Piscina<IngestTask, IngestEnd>({
      filename: new URL('./ingest-thread.ts', import.meta.url).href,
      // One is made ready at once: its modules take half a second to load.
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
  open({ signal, ...options }: OpenOptions): IngestSession {
    const start = () => {
      const { port1: port, port2 } = new MessageChannel();
      const endLock = createEndLock();
      const task: IngestTask = { ...options, port: port2, endLock, maxRows: MAX_ROWS };
      const ended = this.#run(task, signal).then(
        (end) => {
          throw endError(end);
        },
        (error: unknown) => {
          throw threadError(error, signal);
        },
      );
      // Whoever asks next is told; nobody asking is no unhandled rejection.
      ended.catch(() => {});
      return { port, ended };
    };
    let isStarted = false;
    const withCapacity: WithCapacity = async (work) => {
      // Who has a thread and rows in it goes first: the fewer have, the less memory is needed.
      const slot = await this.capacity.acquire(signal, { isUrgent: isStarted });
      isStarted = true;
      try {
        return await work();
      } finally {
        // A run whose last body this was asks again at once, to build.
        setImmediate(() => slot.release());
      }
    };
    return new ThreadSession(start, withCapacity);
  }

  async #run(task: IngestTask, signal: AbortSignal): Promise<IngestEnd> {
    signal.throwIfAborted();
    const { port, endLock } = task;
    const thread = new AbortController();
    using _listening = onAbort(signal, () => {
      void claimEnd(endLock).then(() => thread.abort(signal.reason));
    });
    this.#endLocks.add(endLock);
    try {
      return await this.#threads.run(task, { transferList: [port], signal: thread.signal });
    } finally {
      this.#endLocks.delete(endLock);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#endLocks].map(claimEnd));
    await this.#threads.destroy();
  }
}

function endError(end: IngestEnd): Error {
  switch (end.kind) {
    case 'failed':
      return new SynclineError(end.error.code, end.error.message);
    case 'out-of-order':
      return new OutOfOrder();
    case 'closed':
      return new SynclineError('internal', 'the ingest thread ended before its work did');
  }
}

function threadError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new SynclineError(
      'run-out-of-memory',
      'the registry needs more memory than a run may have',
      {
        cause: error,
      },
    );
  }
  return toSynclineError(error);
}

type WithCapacity = <Result>(work: () => Promise<Result>) => Promise<Result>;

interface SessionThread {
  readonly port: MessagePort;
  readonly ended: Promise<never>;
}

class ThreadSession implements IngestSession {
  readonly #start: () => SessionThread;
  readonly #withCapacity: WithCapacity;
  #thread: SessionThread | undefined;

  constructor(start: () => SessionThread, withCapacity: WithCapacity) {
    this.#start = start;
    this.#withCapacity = withCapacity;
  }

  add(body: Uint8Array, origin: BodyOrigin = {}): Promise<BodySummary> {
    return this.#withCapacity(async () => {
      const answer = await this.#ask({ kind: 'body', body, origin });
      if (answer.kind !== 'summary') throw unexpected(answer);
      return answer.summary;
    });
  }

  build({ nowMs, readChunks, removals }: Parameters<IngestSession['build']>[0]) {
    return this.#untilBuilt({ kind: 'build', nowMs, removals }, readChunks);
  }

  derive({ nowMs, readChunks }: BuildOptions): Promise<IngestResult> {
    return this.#untilBuilt({ kind: 'derive', nowMs }, readChunks);
  }

  merge({ readChunks, ...work }: Parameters<IngestSession['merge']>[0]) {
    return this.#untilBuilt({ kind: 'merge', ...work }, readChunks);
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

  close(): void {
    this.#thread?.port.postMessage({ kind: 'close' } satisfies IngestQuestion);
    this.#thread?.port.close();
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
}

/** The memory of the bytes, where it holds nothing else, so that it need not be copied. */
function ownBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

function unexpected(answer: IngestAnswer): SynclineError {
  return new SynclineError(
    'internal',
    `the ingest thread gave an unexpected answer: ${answer.kind}`,
  );
}
