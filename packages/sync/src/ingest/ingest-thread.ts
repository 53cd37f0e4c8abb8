/**
 * Does the heavy work of a run in a thread: parsing, validating, hashing, compressing. One task is one run. The task
 * ends when its port is closed.
 */
import { on } from 'node:events';
import { toSynclineError } from '@syncline/contract';
import type { ReadRow } from '@syncline/rows';
import {
  type Blob,
  type BuiltSnapshot,
  decodeManifest,
  type Manifest,
  useTerminationLock,
} from '@syncline/snapshot';
import {
  applyDelta,
  DiffCollector,
  deriveView,
  mergeCatalog,
  RetainedBytes,
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
import { ownThreadNumber } from './thread-cpu.ts';

export default async function ingest(task: IngestTask): Promise<IngestEnd> {
  const { port, lock, order, maxRetainedBytes, detail } = task;
  useTerminationLock(lock);
  task.threadNumber[0] = ownThreadNumber();
  const questions = on(port, 'message', { close: ['close'] });
  const nextQuestion = async (): Promise<IngestQuestion> => {
    const { done, value } = await questions.next();
    return done === true ? { kind: 'close' } : value[0];
  };
  const answer = (message: IngestAnswer) => port.postMessage(message);
  try {
    const previous = task.previous && decodeManifest(task.previous);
    const diff = new DiffCollector(detail);
    const retained = new RetainedBytes(maxRetainedBytes);
    const isServed = task.view === undefined;
    const builder = new SnapshotBuilder({ previous, retained, ...(isServed ? { diff } : {}) });
    const onRows = builder.push.bind(builder);
    const collector = new RowCollector({ order, onRows, retained, ...detail });
    const readChunks: Thread['readChunks'] = async (digests, registry) => {
      answer({ kind: 'need-chunks', digests, registry });
      const reply = await nextQuestion();
      return reply.kind === 'chunks' ? [...reply.chunks] : [];
    };
    const thread: Thread = { task, previous, readChunks, builder, collector, diff, retained };
    for (;;) {
      const question = await nextQuestion();
      if (question.kind === 'close') return { kind: 'closed' };
      if (question.kind === 'body') {
        takeBody(question, { collector, answer });
      } else if (question.kind !== 'chunks') {
        const built = await build(question, thread);
        answerBuilt(port, { ...built, changedFields: diff.changedFields });
      }
    }
  } catch (error) {
    if (error instanceof OutOfOrder) return { kind: 'out-of-order' };
    const { code, message } = toSynclineError(error);
    return { kind: 'failed', code, message };
  } finally {
    port.close();
  }
}

/** Moves the chunks to the main thread, because a copy would need the memory twice. */
function answerBuilt(port: IngestTask['port'], built: IngestResult): void {
  const blobs = [...built.newChunks, ...(built.mirror?.newChunks ?? [])];
  const own = blobs.flatMap(({ bytes: { buffer, byteLength } }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
  const message: IngestAnswer = { kind: 'built', built };
  port.postMessage(message, [...new Set(own)]);
}

function takeBody(
  { body, origin, secrets }: Question<'body'>,
  { collector, answer }: { collector: RowCollector; answer: (message: IngestAnswer) => void },
): void {
  collector.withhold(secrets);
  const { summary, take } = collector.parse(body, origin);
  // If there is a next body, the source can fetch it while the thread takes these rows.
  const isLast = summary.nextCursor === undefined;
  if (isLast) take();
  const { retainedBytes } = collector;
  answer({ kind: 'summary', summary, retainedBytes });
  if (!isLast) take();
}

interface Thread {
  readonly task: IngestTask;
  /** The decoded `task.previous`. */
  readonly previous: Manifest | undefined;
  /** Reads chunks of the registry itself, or of another registry. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
  readonly builder: SnapshotBuilder;
  readonly collector: RowCollector;
  readonly retained: RetainedBytes;
  /** The difference from the served snapshot. */
  readonly diff: DiffCollector;
}

type Question<Kind> = Extract<IngestQuestion, { kind: Kind }>;

const NOTHING_READ = { readCount: 0, quarantined: { count: 0, samples: [] } };

async function build(
  question: Question<'build' | 'derive' | 'merge'>,
  thread: Thread,
): Promise<Omit<IngestResult, 'changedFields'>> {
  const { task, previous } = thread;
  const { nowMs } = question;
  if (question.kind === 'merge') return { ...NOTHING_READ, ...(await merge(question, thread)) };
  if (question.kind === 'derive') {
    if (previous === undefined || task.previous === undefined) {
      throw new Error('cannot derive the view: the registry has no mirror');
    }
    const mirror = { manifest: previous, manifestBlob: task.previous, newChunks: [] };
    return { ...NOTHING_READ, ...(await derive(mirror, { thread, nowMs })) };
  }
  const { built: mirror, ...read } = await buildMirror(question, thread);
  if (task.view === undefined) return { ...mirror, ...read };
  return { ...(await derive(mirror, { thread, nowMs })), ...read, mirror };
}

async function buildMirror({ nowMs, removals }: Question<'build'>, thread: Thread) {
  const { collector, builder, previous, readChunks } = thread;
  if (removals !== undefined) {
    if (previous === undefined)
      throw new Error('cannot apply the delta: the registry has no mirror');
    const upserts: ReadRow[] = [];
    const { readCount, quarantined } = collector.finish((rows) => {
      for (const row of rows) upserts.push(row);
    });
    const delta = { builder, upserts, removals, nowMs, readChunks };
    return { built: await applyDelta(delta), readCount, quarantined };
  }
  const { readCount, quarantined, skills, plugins } = collector.finish();
  const built = await builder.finish({
    nowMs,
    sourceRowCount: readCount - quarantined.count,
    skillCount: skills.length,
    pluginCount: plugins.length,
    attachments: [
      { kind: 'skills', items: skills },
      { kind: 'plugins', items: plugins },
    ],
    readChunks,
  });
  return { built, readCount, quarantined };
}

function derive(
  { manifest, manifestBlob, newChunks }: Omit<BuiltSnapshot, 'diff'>,
  { thread, nowMs }: { thread: Thread; nowMs: number },
): Promise<BuiltSnapshot> {
  const { task, diff, readChunks } = thread;
  if (task.view === undefined) throw new Error('there is no view to derive');
  const { filter, filterHash, served, isCurrent } = task.view;
  const previous = served && decodeManifest(served);
  const chunks = new Map(newChunks.map((chunk) => [chunk.digest, chunk]));
  return deriveView({
    mirror: manifest,
    before: isCurrent ? thread.previous : undefined,
    builder: new SnapshotBuilder({ previous, diff, retained: thread.retained }),
    filter,
    // If the filter keeps everything, the view is itself a mirror.
    origin: filterHash === undefined ? {} : { mirror: manifestBlob.digest, filterHash },
    nowMs,
    readChunks: async (digests) => {
      const missing = digests.filter((digest) => !chunks.has(digest));
      const stored = missing.length === 0 ? [] : await readChunks(missing);
      const all = new Map([...chunks, ...stored.map((chunk) => [chunk.digest, chunk] as const)]);
      return digests.flatMap((digest) => all.get(digest) ?? []);
    },
  });
}

function merge(
  { members, kind: _kind, ...work }: Question<'merge'>,
  { builder, readChunks }: Thread,
): Promise<BuiltSnapshot> {
  return mergeCatalog({
    members: members.map(({ registry, manifest, before }) => ({
      registry,
      manifest: decodeManifest(manifest),
      before: before && decodeManifest(before),
    })),
    builder,
    ...work,
    readChunks,
  });
}
