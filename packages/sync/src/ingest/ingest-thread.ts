/**
 * The thread in which a run's heavy work is done: parsing, validating, hashing, compressing. One task is
 * one run; it ends when the run has its snapshot, or when the port is closed.
 */
import type { MessagePort } from 'node:worker_threads';
import { toSynclineError } from '@syncline/contract';
import type { Blob } from '../ports.ts';
import { buildSnapshot } from '../snapshot/build.ts';
import { decodeManifest } from '../snapshot/manifest.ts';
import type { IngestAnswer, IngestQuestion, IngestTask } from './messages.ts';
import { RowCollector } from './row-collector.ts';

export default async function ingest({ port, filter, maxRows }: IngestTask): Promise<void> {
  const collector = new RowCollector({ filter, maxRows });
  const inbox = new Inbox(port);
  const answer = (message: IngestAnswer) => port.postMessage(message);
  try {
    for (;;) {
      const question = await inbox.next();
      if (question.kind === 'close') return;
      try {
        if (question.kind === 'body') {
          answer({ kind: 'summary', summary: collector.add(question.body) });
        } else if (question.kind === 'build') {
          const built = await build(question, { collector, inbox, answer });
          answer({ kind: 'built', built });
        }
      } catch (error) {
        const { code, message } = toSynclineError(error);
        answer({ kind: 'failed', error: { code, message } });
      }
    }
  } finally {
    port.close();
  }
}

async function build(
  { previous, nowMs }: Extract<IngestQuestion, { kind: 'build' }>,
  thread: { collector: RowCollector; inbox: Inbox; answer: (message: IngestAnswer) => void },
) {
  const { readCount, quarantined, ...collected } = thread.collector.collected();
  const readChunks = async (digests: readonly string[]): Promise<Blob[]> => {
    thread.answer({ kind: 'need-chunks', digests });
    const reply = await thread.inbox.next();
    return reply.kind === 'chunks' ? [...reply.chunks] : [];
  };
  const built = await buildSnapshot({
    ...collected,
    previous: previous === undefined ? undefined : decodeManifest(previous),
    nowMs,
    readChunks,
  });
  return { ...built, readCount, quarantined };
}

/** The questions of a port, one at a time. */
class Inbox {
  readonly #waiting: IngestQuestion[] = [];
  #wake: ((question: IngestQuestion) => void) | undefined;

  constructor(port: MessagePort) {
    const push = (question: IngestQuestion) => {
      const wake = this.#wake;
      this.#wake = undefined;
      if (wake === undefined) this.#waiting.push(question);
      else wake(question);
    };
    port.on('message', push);
    port.on('close', () => push({ kind: 'close' }));
  }

  next(): Promise<IngestQuestion> {
    const question = this.#waiting.shift();
    if (question !== undefined) return Promise.resolve(question);
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
