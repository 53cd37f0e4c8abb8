/**
 * The thread in which a run's heavy work is done: parsing, validating, hashing, compressing. One task is
 * one run; it ends when the run has its snapshot, or when the port is closed.
 */
import type { MessagePort } from 'node:worker_threads';
import { toSynclineError } from '@syncline/contract';
import {
  type AttachmentDraft,
  type Blob,
  DiffCollector,
  decodeManifest,
  mergeCatalog,
  respect,
  SnapshotBuilder,
} from '@syncline/snapshot';
import type {
  IngestAnswer,
  IngestEnd,
  IngestQuestion,
  IngestResult,
  IngestTask,
} from './messages.ts';
import { OutOfOrder, RowCollector } from './row-collector.ts';

export default async function ingest(task: IngestTask): Promise<IngestEnd> {
  const { port, endLock, previous, filter, maxRows, order, detail } = task;
  respect(endLock);
  const inbox = new Inbox(port);
  const answer = (message: IngestAnswer) => port.postMessage(message);
  try {
    const diff = new DiffCollector(detail === undefined ? {} : { ...detail, comparesFields: true });
    const builder = new SnapshotBuilder({
      previous: previous === undefined ? undefined : decodeManifest(previous),
      diff,
    });
    const onRows = builder.push.bind(builder);
    const collector = new RowCollector({ filter, maxRows, order, onRows, ...detail });
    const thread: Thread = { inbox, answer, builder, collector, diff };
    for (;;) {
      const question = await inbox.next();
      if (question.kind === 'close') return { kind: 'closed' };
      if (question.kind === 'body') {
        const { summary, take } = collector.parse(question.body, question.origin);
        // First the answer: the next body is fetched while the rows of this one are taken.
        answer({ kind: 'summary', summary });
        take();
      } else if (question.kind === 'build') {
        answer({ kind: 'built', built: await build(question, thread) });
      } else if (question.kind === 'merge') {
        answer({ kind: 'built', built: await merge(question, { ...thread, task }) });
      }
    }
  } catch (error) {
    if (error instanceof OutOfOrder) return { kind: 'out-of-order' };
    const { code, message } = toSynclineError(error);
    return { kind: 'failed', error: { code, message } };
  } finally {
    port.close();
  }
}

interface Thread {
  readonly inbox: Inbox;
  readonly answer: (message: IngestAnswer) => void;
  readonly builder: SnapshotBuilder;
  readonly collector: RowCollector;
  readonly diff: DiffCollector;
}

async function build({ nowMs }: { nowMs: number }, thread: Thread): Promise<IngestResult> {
  const { readCount, quarantined, skills, plugins } = thread.collector.finish();
  const readChunks = (digests: readonly string[]) => askForChunks(thread, digests);
  const sourceRowCount = readCount - quarantined.count;
  const counts = { sourceRowCount, skillCount: skills.length, pluginCount: plugins.length };
  const attachments: AttachmentDraft[] = [
    { kind: 'skills', items: skills },
    { kind: 'plugins', items: plugins },
  ];
  const built = await thread.builder.finish({ nowMs, ...counts, attachments, readChunks });
  return { ...built, readCount, quarantined, changedFields: thread.diff.changedFields };
}

async function merge(
  { nowMs, members }: Extract<IngestQuestion, { kind: 'merge' }>,
  { task, ...thread }: Thread & { task: IngestTask },
): Promise<IngestResult> {
  const { filter, previous } = task;
  const built = await mergeCatalog({
    members: members.map(({ registry, manifest, before }) => ({
      registry,
      manifest: decodeManifest(manifest),
      before: before && decodeManifest(before),
    })),
    previous: previous && decodeManifest(previous),
    builder: thread.builder,
    filter,
    nowMs,
    readChunks: (digests, registry) => askForChunks(thread, digests, registry),
  });
  return {
    ...built,
    readCount: 0,
    quarantined: { count: 0, samples: [] },
    changedFields: thread.diff.changedFields,
  };
}

async function askForChunks(
  { answer, inbox }: Pick<Thread, 'answer' | 'inbox'>,
  digests: readonly string[],
  registry?: string,
): Promise<Blob[]> {
  answer({ kind: 'need-chunks', digests, registry });
  const reply = await inbox.next();
  return reply.kind === 'chunks' ? [...reply.chunks] : [];
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
