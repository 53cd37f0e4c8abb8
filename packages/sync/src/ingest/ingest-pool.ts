import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Filter, SynclineError, toSynclineError } from '@syncline/contract';
import { Piscina } from 'piscina';
import type { Blob } from '../ports.ts';
import type { IngestAnswer, IngestQuestion, IngestResult, IngestTask } from './messages.ts';
import type { BodySummary } from './row-collector.ts';
import { type Slot, Slots } from './slots.ts';

/** More rows than this are no registry that anyone runs today; the official one has some 100,000. */
const MAX_ROWS = 2_000_000;
const THREAD_IDLE_TIMEOUT_MS = 60_000;

export interface IngestPoolOptions {
  /** How many runs may do heavy work at once in this process. */
  readonly heavyRuns: number;
  /** Heap of each thread; a run that needs more fails by itself, and nothing else does. */
  readonly threadHeapMb?: number;
}

/** The work of one run in its thread. */
export interface IngestSession {
  /** Parses one body and takes its rows. */
  add(body: Uint8Array): Promise<BodySummary>;
  /** Builds the snapshot of all rows taken. */
  build(options: {
    previous: Blob | undefined;
    nowMs: number;
    readChunks: (digests: readonly string[]) => Promise<Blob[]>;
  }): Promise<IngestResult>;
  close(): void;
}

/** Threads for heavy work, so that neither a large registry nor a hostile one can block the process. */
export class IngestPool {
  readonly slots: Slots;
  readonly #threads: Piscina<IngestTask, void>;

  constructor({ heavyRuns, threadHeapMb = 768 }: IngestPoolOptions) {
    this.slots = new Slots(heavyRuns);
    this.#threads = new Piscina<IngestTask, void>({
      filename: new URL('./ingest-thread.ts', import.meta.url).href,
      minThreads: 0,
      maxThreads: heavyRuns,
      idleTimeout: THREAD_IDLE_TIMEOUT_MS,
      resourceLimits: { maxOldGenerationSizeMb: threadHeapMb },
    });
  }

  /**
   * Starts a session in a thread; `signal` ends it, also in the middle of a computation. A session needs
   * a slot: see {@link slots}.
   */
  open(options: { filter: Filter; signal: AbortSignal; slot: Slot }): IngestSession {
    const { port1: port, port2 } = new MessageChannel();
    const task: IngestTask = { port: port2, filter: options.filter, maxRows: MAX_ROWS };
    const ended = this.#threads.run(task, { transferList: [port2], signal: options.signal }).then(
      () => {
        throw new SynclineError('internal', 'the ingest thread ended before its work did');
      },
      (error: unknown) => {
        throw threadError(error, options.signal);
      },
    );
    // Whoever asks next is told; nobody asking is no unhandled rejection.
    ended.catch(() => {});
    return new ThreadSession(port, ended);
  }

  async close(): Promise<void> {
    await this.#threads.destroy();
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

  async add(body: Uint8Array): Promise<BodySummary> {
    const answer = await this.#ask({ kind: 'body', body });
    if (answer.kind !== 'summary') throw unexpected(answer);
    return answer.summary;
  }

  async build({ previous, nowMs, readChunks }: Parameters<IngestSession['build']>[0]) {
    let answer = await this.#ask({ kind: 'build', previous, nowMs });
    if (answer.kind === 'need-chunks') {
      const chunks = await readChunks(answer.digests);
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
    this.#port.postMessage(question);
    const answer = await Promise.race([answered, this.#ended]);
    if (answer.kind === 'failed') throw new SynclineError(answer.error.code, answer.error.message);
    return answer;
  }
}

function unexpected(answer: IngestAnswer): SynclineError {
  return new SynclineError(
    'internal',
    `the ingest thread gave an unexpected answer: ${answer.kind}`,
  );
}
