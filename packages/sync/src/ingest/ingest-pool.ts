import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { onAbort, SynclineError, toSynclineError } from '@syncline/contract';
import type { BodyOrigin, BodySummary } from '@syncline/rows';
import { type Blob, claimEnd, createEndLock, type EndLock } from '@syncline/snapshot';
import { type Slot, Slots } from '@syncline/sources';
import { Piscina } from 'piscina';
import type {
  IngestAnswer,
  IngestEnd,
  IngestQuestion,
  IngestResult,
  IngestTask,
  MemberBlobs,
} from './messages.ts';
import { OutOfOrder } from './row-collector.ts';

/** More rows than this are no registry that anyone runs today; the official one has some 100,000. */
const MAX_ROWS = 2_000_000;
const THREAD_IDLE_TIMEOUT_MS = 60_000;
/** Runs that wait for silent upstreams, with what they have read so far. */
const LENT_PER_SLOT = 4;
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
  /** Builds the snapshot of all rows taken. */
  build(options: BuildOptions): Promise<IngestResult>;
  /** Builds, in place of that, the snapshot of a catalog from those of its registries. */
  merge(options: BuildOptions & { members: readonly MemberBlobs[] }): Promise<IngestResult>;
  close(): void;
}

export interface BuildOptions {
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** Reads chunks of the registry itself, or of another one. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
}

export interface OpenOptions extends Pick<IngestTask, 'filter' | 'order' | 'previous' | 'detail'> {
  /** Ends the session, also in the middle of a computation. */
  readonly signal: AbortSignal;
  /** Proof that this process may do the work: see {@link IngestPool.slots}. */
  readonly slot: Slot;
}

/** Threads for heavy work, so that neither a large registry nor a hostile one can block the process. */
export class IngestPool {
  readonly slots: Slots;
  readonly #threads: Piscina<IngestTask, IngestEnd>;
  /** Of all threads that work. */
  readonly #endLocks = new Set<EndLock>();

  constructor({ heavyRuns, threadHeapMb = 768 }: IngestPoolOptions) {
    const maxLent = LENT_PER_SLOT * heavyRuns;
    this.slots = new Slots(heavyRuns, { maxLent });
    this.#threads = new Piscina<IngestTask, IngestEnd>({
      filename: new URL('./ingest-thread.ts', import.meta.url).href,
      // One is made ready at once: its modules take half a second to load.
      minThreads: 1,
      // A run whose slot is lent keeps its thread, which waits for the next body.
      maxThreads: heavyRuns + maxLent,
      idleTimeout: THREAD_IDLE_TIMEOUT_MS,
      resourceLimits: {
        maxOldGenerationSizeMb: threadHeapMb,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      },
    });
  }

  /** Starts a session in a thread. */
  open({ signal, slot: _slot, ...options }: OpenOptions): IngestSession {
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
    return new ThreadSession(port, ended);
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

class ThreadSession implements IngestSession {
  readonly #port: MessagePort;
  readonly #ended: Promise<never>;

  constructor(port: MessagePort, ended: Promise<never>) {
    this.#port = port;
    this.#ended = ended;
  }

  async add(body: Uint8Array, origin: BodyOrigin = {}): Promise<BodySummary> {
    const answer = await this.#ask({ kind: 'body', body, origin });
    if (answer.kind !== 'summary') throw unexpected(answer);
    return answer.summary;
  }

  build({ nowMs, readChunks }: BuildOptions): Promise<IngestResult> {
    return this.#untilBuilt({ kind: 'build', nowMs }, readChunks);
  }

  merge({ nowMs, readChunks, members }: Parameters<IngestSession['merge']>[0]) {
    return this.#untilBuilt({ kind: 'merge', nowMs, members }, readChunks);
  }

  async #untilBuilt(
    question: IngestQuestion,
    readChunks: BuildOptions['readChunks'],
  ): Promise<IngestResult> {
    let answer = await this.#ask(question);
    while (answer.kind === 'need-chunks') {
      const chunks = await readChunks(answer.digests, answer.registry);
      answer = await this.#ask({ kind: 'chunks', chunks });
    }
    if (answer.kind !== 'built') throw unexpected(answer);
    return answer.built;
  }

  close(): void {
    this.#port.postMessage({ kind: 'close' } satisfies IngestQuestion);
    this.#port.close();
  }

  async #ask(question: IngestQuestion): Promise<IngestAnswer> {
    const answered = new Promise<IngestAnswer>((resolve) => {
      this.#port.once('message', resolve);
    });
    this.#port.postMessage(question, question.kind === 'body' ? ownBuffer(question.body) : []);
    return Promise.race([answered, this.#ended]);
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
