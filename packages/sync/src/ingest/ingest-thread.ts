/**
 * Does the heavy work of a run in a thread: parsing, validating, hashing, compressing. One task is one run. The task
 * ends when its port is closed.
 */
import { on } from 'node:events';
import {
  QUARANTINE_SAMPLE_LIMIT,
  type QuarantinedRow,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import {
  type BodyOrigin,
  type BodySummary,
  MAX_ATTACHMENT_BYTES,
  MAX_ROWS,
  type ParsedBody,
  type ReadRow,
  type RowReading,
} from '@syncline/rows';
import { parseBody } from '@syncline/rows/parse';
import {
  type AttachmentKind,
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

export default async function ingest(task: IngestTask): Promise<IngestEnd> {
  const { port, lock, order, detail } = task;
  useTerminationLock(lock);
  const questions = on(port, 'message', { close: ['close'] });
  const nextQuestion = async (): Promise<IngestQuestion> => {
    const { done, value } = await questions.next();
    return done === true ? { kind: 'close' } : value[0];
  };
  const answer = (message: IngestAnswer) => port.postMessage(message);
  try {
    const previous = task.previous && decodeManifest(task.previous);
    const diff = new DiffCollector(detail);
    const isServed = task.view === undefined;
    const builder = new SnapshotBuilder({ previous, ...(isServed ? { diff } : {}) });
    const onRows = builder.push.bind(builder);
    const collector = new RowCollector({ order, onRows, ...detail });
    const readChunks: Thread['readChunks'] = async (digests, registry) => {
      answer({ kind: 'need-chunks', digests, registry });
      const reply = await nextQuestion();
      return reply.kind === 'chunks' ? [...reply.chunks] : [];
    };
    const thread: Thread = { task, previous, readChunks, builder, collector, diff };
    for (;;) {
      const question = await nextQuestion();
      if (question.kind === 'close') return { kind: 'closed' };
      if (question.kind === 'body') {
        const { summary, take } = collector.parse(question.body, question.origin);
        // Answers first, so that the source can fetch the next body while the thread takes these rows.
        answer({ kind: 'summary', summary });
        take();
      } else if (question.kind !== 'chunks') {
        const built = await build(question, thread);
        answer({ kind: 'built', built: { ...built, changedFields: diff.changedFields } });
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

interface Thread {
  readonly task: IngestTask;
  /** The decoded `task.previous`. */
  readonly previous: Manifest | undefined;
  /** Reads chunks of the registry itself, or of another registry. */
  readonly readChunks: (digests: readonly string[], registry?: string) => Promise<Blob[]>;
  readonly builder: SnapshotBuilder;
  readonly collector: RowCollector;
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
    builder: new SnapshotBuilder({ previous, diff }),
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

export interface RowCollectorOptions {
  /** Default: {@link MAX_ROWS}. */
  readonly maxRows?: number;
  /** How many skipped rows to name with their reasons. */
  readonly sampleLimit?: number;
  /**
   * - `arrival`: hands rows on as they arrive, while they are in order. Few rows are buffered.
   * - `buffered`: buffers all rows, and hands them on at the end.
   */
  readonly order: 'arrival' | 'buffered';
  /** Receives rows sorted by key. Each key occurs once, and all versions of a name come together. */
  readonly onRows: (rows: readonly ReadRow[]) => void;
}

/** The collector buffers at least this many rows to detect the order before it hands any on. */
const BUFFERED_ROWS = 500;

/** Takes the bodies of a source one by one: parses them, validates each row, and sorts the rows. */
export class RowCollector {
  readonly #options: RowCollectorOptions;
  #buffer = new Map<string, ReadRow>();
  #isSorted: boolean;
  #hasHandedOn = false;
  #lastKey = '';
  readonly #samples: QuarantinedRow[] = [];
  #readCount = 0;
  readonly #attached = {
    skills: { items: [] as string[], bytes: 0 },
    plugins: { items: [] as string[], bytes: 0 },
  };
  #quarantinedCount = 0;

  constructor(options: RowCollectorOptions) {
    this.#options = options;
    this.#isSorted = options.order === 'arrival';
  }

  /**
   * Parses a body. The caller must then call `take` for the rows.
   *
   * @throws SynclineError if the body is not a registry
   */
  parse(body: Uint8Array, origin: BodyOrigin = {}): { summary: BodySummary; take: () => void } {
    const parsed = parseBody(body, origin);
    const { format, rowCount, nextCursor } = parsed;
    return {
      summary: { format, rowCount, nextCursor },
      take: () => this.#takeAll(parsed, origin),
    };
  }

  /** Hands on the buffered rows. Returns the totals of all bodies. `readCount` includes invalid rows. */
  finish(onRows = this.#options.onRows) {
    const rows = [...this.#buffer.values()];
    this.#buffer = new Map();
    if (!this.#isSorted) rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    onRows(rows);
    return {
      readCount: this.#readCount,
      skills: this.#attached.skills.items,
      plugins: this.#attached.plugins.items,
      quarantined: { count: this.#quarantinedCount, samples: this.#samples },
    };
  }

  /** Takes the rows of a body. @throws SynclineError for too many rows; {@link OutOfOrder} */
  #takeAll({ readRows, readAttached }: ParsedBody, { name }: BodyOrigin): void {
    for (const { kind, json } of readAttached()) this.#attach(kind, json);
    // If the body has a name, a row's place within the body is more useful.
    const firstPlace = name === undefined ? this.#readCount + 1 : 1;
    for (const reading of readRows(firstPlace)) this.#take(reading, name);
    if (this.#isSorted && this.#buffer.size >= BUFFERED_ROWS) this.#handOn();
  }

  #take(reading: RowReading, bodyName: string | undefined): void {
    const { maxRows = MAX_ROWS } = this.#options;
    this.#readCount += 1;
    if (this.#readCount > maxRows) {
      const message = `the source has too many rows. The limit is ${maxRows}`;
      throw new SynclineError('source-too-many-rows', message);
    }
    const quarantine = (label: string, reason: string) =>
      this.#quarantine({ row: bodyName === undefined ? label : `${bodyName}: ${label}`, reason });
    if (!reading.ok) {
      quarantine(reading.label, reading.reason);
      return;
    }
    const { row } = reading;
    const known = this.#buffer.get(row.key);
    // Overlapping pages repeat rows. Only a contradiction matters.
    if (known?.json === row.json) return;
    if (known !== undefined) {
      const reason = 'the source has another row with this name and version. That row was kept';
      quarantine(`${row.name}@${row.version}`, reason);
      return;
    }
    this.#noteOrder(row);
    this.#buffer.set(row.key, row);
  }

  #noteOrder({ key }: ReadRow): void {
    if (!this.#isSorted) return;
    if (key > this.#lastKey) {
      this.#lastKey = key;
      return;
    }
    if (this.#hasHandedOn) throw new OutOfOrder();
    this.#isSorted = false;
  }

  /** Hands on all names except the last one, which may get more versions. */
  #handOn(): void {
    const rows = [...this.#buffer.values()];
    const lastName = rows.at(-1)?.name;
    const end = rows.findIndex(({ name }) => name === lastName);
    this.#options.onRows(rows.slice(0, end));
    this.#buffer = new Map(rows.slice(end).map((row) => [row.key, row]));
    this.#hasHandedOn = true;
  }

  #quarantine(row: QuarantinedRow): void {
    this.#quarantinedCount += 1;
    const { sampleLimit = QUARANTINE_SAMPLE_LIMIT } = this.#options;
    if (this.#samples.length < sampleLimit) this.#samples.push(row);
  }

  /** Adds a skill or plugin. @throws SynclineError `source-attachments-too-large` */
  #attach(kind: AttachmentKind, json: string): void {
    const attached = this.#attached[kind];
    attached.bytes += Buffer.byteLength(json);
    if (attached.bytes > MAX_ATTACHMENT_BYTES) {
      const limit = `The limit is ${MAX_ATTACHMENT_BYTES} bytes in total`;
      const message = `the source has too many ${kind}. ${limit}`;
      throw new SynclineError('source-attachments-too-large', message);
    }
    attached.items.push(json);
  }
}
