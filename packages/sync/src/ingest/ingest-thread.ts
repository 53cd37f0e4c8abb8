/**
 * The thread in which a run's heavy work is done: parsing, validating, hashing, compressing. One task is one run. It
 * ends when the run has its snapshot, or when the port is closed.
 */
import type { MessagePort } from 'node:worker_threads';
import { toSynclineError } from '@syncline/contract';
import type { ReadRow } from '@syncline/rows';
import {
  type AttachmentDraft,
  type Blob,
  type BuiltSnapshot,
  decodeManifest,
  type Manifest,
  respect,
} from '@syncline/snapshot';
import {
  applyDelta,
  DiffCollector,
  deriveView,
  mergeCatalog,
  SnapshotBuilder,
} from '@syncline/snapshot/patch';
import {
  type IngestAnswer,
  type IngestEnd,
  type IngestQuestion,
  type IngestResult,
  type IngestTask,
  OutOfOrder,
} from './messages.ts';
import { RowCollector } from './row-collector.ts';

export default async function ingest(task: IngestTask): Promise<IngestEnd> {
  const { port, endLock, maxRows, order, detail } = task;
  respect(endLock);
  const inbox = new Inbox(port);
  const answer = (message: IngestAnswer) => port.postMessage(message);
  try {
    const previous = task.previous && decodeManifest(task.previous);
    const diff = new DiffCollector(detail);
    const isServed = task.view === undefined;
    const builder = new SnapshotBuilder({ previous, ...(isServed ? { diff } : {}) });
    const onRows = builder.push.bind(builder);
    const collector = new RowCollector({ maxRows, order, onRows, ...detail });
    const thread: Thread = { task, previous, inbox, answer, builder, collector, diff };
    for (;;) {
      const question = await inbox.next();
      if (question.kind === 'close') return { kind: 'closed' };
      if (question.kind === 'body') {
        const { summary, take } = collector.parse(question.body, question.origin);
        // First the answer: the next body is fetched while the rows of this one are taken.
        answer({ kind: 'summary', summary });
        take();
      } else if (question.kind !== 'chunks') {
        answer({ kind: 'built', built: await build(question, thread) });
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
  readonly task: IngestTask;
  /** `task.previous`, decoded. */
  readonly previous: Manifest | undefined;
  readonly inbox: Inbox;
  readonly answer: (message: IngestAnswer) => void;
  readonly builder: SnapshotBuilder;
  readonly collector: RowCollector;
  /** Of what is served. */
  readonly diff: DiffCollector;
}

type Question<Kind> = Extract<IngestQuestion, { kind: Kind }>;

const NOTHING_READ = { readCount: 0, quarantined: { count: 0, samples: [] } };

async function build(
  question: Question<'build' | 'derive' | 'merge'>,
  thread: Thread,
): Promise<IngestResult> {
  const { task, diff } = thread;
  const { nowMs } = question;
  const result = (built: BuiltSnapshot, read: Partial<IngestResult> = {}) => ({
    ...NOTHING_READ,
    ...built,
    ...read,
    changedFields: diff.changedFields,
  });
  if (question.kind === 'merge') return result(await merge(question, thread));
  if (question.kind === 'derive') {
    const { previous: manifestBlob } = task;
    if (manifestBlob === undefined) throw new Error('there is no mirror to derive a view from');
    const manifest = decodeManifest(manifestBlob);
    return result(await derive({ manifest, manifestBlob, newChunks: [] }, { thread, nowMs }));
  }
  const { built: mirror, ...read } = await buildMirror(question, thread);
  if (task.view === undefined) return result(mirror, read);
  return result(await derive(mirror, { thread, nowMs }), { ...read, mirror });
}

async function buildMirror({ nowMs, removals }: Question<'build'>, thread: Thread) {
  const { collector, builder, previous } = thread;
  const readChunks = (digests: readonly string[]) => askForChunks(thread, digests);
  if (removals !== undefined) {
    if (previous === undefined) throw new Error('there is no mirror to apply a delta to');
    const upserts: ReadRow[] = [];
    const { readCount, quarantined } = collector.finish((rows) => {
      for (const row of rows) upserts.push(row);
    });
    const delta = { builder, upserts, removals, nowMs, readChunks };
    return { built: await applyDelta(delta), readCount, quarantined };
  }
  const { readCount, quarantined, skills, plugins } = collector.finish();
  const attachments: AttachmentDraft[] = [
    { kind: 'skills', items: skills },
    { kind: 'plugins', items: plugins },
  ];
  const built = await builder.finish({
    nowMs,
    sourceRowCount: readCount - quarantined.count,
    skillCount: skills.length,
    pluginCount: plugins.length,
    attachments,
    readChunks,
  });
  return { built, readCount, quarantined };
}

function derive(
  { manifest, manifestBlob, newChunks }: Omit<BuiltSnapshot, 'diff'>,
  { thread, nowMs }: { thread: Thread; nowMs: number },
): Promise<BuiltSnapshot> {
  const { task, diff } = thread;
  if (task.view === undefined) throw new Error('there is no view to derive');
  const { filter, filterHash, served, isCurrent } = task.view;
  const previous = served && decodeManifest(served);
  const atHand = new Map(newChunks.map((chunk) => [chunk.digest, chunk]));
  return deriveView({
    mirror: manifest,
    before: isCurrent ? thread.previous : undefined,
    builder: new SnapshotBuilder({ previous, diff }),
    filter,
    // What everything passes is a mirror itself.
    origin: filterHash === undefined ? {} : { mirror: manifestBlob.digest, filterHash },
    nowMs,
    readChunks: async (digests) => {
      const missing = digests.filter((digest) => !atHand.has(digest));
      const stored = missing.length === 0 ? [] : await askForChunks(thread, missing);
      const found = new Map(stored.map((chunk) => [chunk.digest, chunk]));
      return digests.flatMap((digest) => atHand.get(digest) ?? found.get(digest) ?? []);
    },
  });
}

function merge(
  { nowMs, members, filter, filterHash }: Question<'merge'>,
  thread: Thread,
): Promise<BuiltSnapshot> {
  return mergeCatalog({
    members: members.map(({ registry, manifest, before }) => ({
      registry,
      manifest: decodeManifest(manifest),
      before: before && decodeManifest(before),
    })),
    builder: thread.builder,
    filter,
    filterHash,
    nowMs,
    readChunks: (digests, registry) => askForChunks(thread, digests, registry),
  });
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
