import { QUARANTINE_SAMPLE_LIMIT, type QuarantinedRow, SynclineError } from '@syncline/contract';
import {
  type Body,
  type BodyOrigin,
  type BodySummary,
  MAX_ATTACHMENT_BYTES,
  MAX_ROWS,
  type ParsedBody,
  type ReadRow,
  type RowReading,
} from '@syncline/rows';
import { parseBody } from '@syncline/rows/parse';
import type { AttachmentKind } from '@syncline/snapshot';
import { RetainedBytes } from '@syncline/snapshot/patch';
import { OutOfOrder } from './messages.ts';
import { createSecretFinder } from './secret-finder.ts';

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
  /** Counts the bytes of buffered rows, skills and plugins. Default: without a limit. */
  readonly retained?: RetainedBytes;
  /** Receives rows sorted by key. Each key occurs once, and all versions of a name come together. */
  readonly onRows: (rows: readonly ReadRow[]) => void;
}

const HAS_CREDENTIAL = 'the row repeats a credential that Syncline has sent to the source';
/** The collector buffers at least this many rows or bytes to detect the order before it hands any on. */
const BUFFERED_ROWS = 500;
const BUFFERED_BYTES = 16 * 1024 * 1024;
/** What a buffered row needs besides its JSON. */
const BUFFERED_ROW_BYTES = 400;

/** Takes the bodies of a source one by one: parses them, validates each row, and sorts the rows. */
export class RowCollector {
  readonly #options: RowCollectorOptions;
  readonly #retained: RetainedBytes;
  #bufferedBytes = 0;
  #buffer = new Map<string, ReadRow>();
  #isSorted: boolean;
  #hasHandedOn = false;
  #lastKey = '';
  #lastName = '';
  readonly #samples: QuarantinedRow[] = [];
  #readCount = 0;
  readonly #attached = {
    skills: { items: [] as string[], bytes: 0 },
    plugins: { items: [] as string[], bytes: 0 },
  };
  #quarantinedCount = 0;
  #secrets: { readonly known: string; readonly isIn: (json: string) => boolean } = {
    known: '[]',
    isIn: () => false,
  };

  constructor(options: RowCollectorOptions) {
    this.#options = options;
    this.#retained = options.retained ?? new RetainedBytes();
    this.#isSorted = options.order === 'arrival';
  }

  /** Skips rows, skills and plugins of later bodies that contain one of these credentials. */
  withhold(secrets: readonly string[]): void {
    const known = JSON.stringify(secrets);
    if (known === this.#secrets.known) return;
    this.#secrets = { known, isIn: createSecretFinder(secrets) };
  }

  /**
   * Parses a body. The caller must then call `take` for the rows.
   *
   * @throws SynclineError if the body is not a registry
   */
  parse(body: Body, origin: BodyOrigin = {}): { summary: BodySummary; take: () => void } {
    const parsed = parseBody(body, origin);
    const { format, rowCount, nextCursor } = parsed;
    return {
      summary: { format, rowCount, nextCursor },
      take: () => this.#takeAll(parsed, origin),
    };
  }

  /** The bytes that the run retains so far. */
  get retainedBytes(): number {
    return this.#retained.count;
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
    if (this.#secrets.isIn(row.json)) {
      // The name may contain the credential, too.
      quarantine(`row ${this.#readCount}`, HAS_CREDENTIAL);
      return;
    }
    const known = this.#buffer.get(row.key);
    // Overlapping pages repeat rows. Only a contradiction matters.
    if (known?.json === row.json) return;
    if (known !== undefined) {
      const reason = 'the source has another row with this name and version. That row was kept';
      quarantine(`${row.name}@${row.version}`, reason);
      return;
    }
    this.#noteOrder(row);
    this.#add(row);
  }

  #add(row: ReadRow): void {
    // A body may be far larger than the buffer. The last name is complete if another one follows.
    if (this.#isSorted && this.#bufferedBytes > BUFFERED_BYTES && row.name !== this.#lastName) {
      this.#handOn();
    }
    this.#lastName = row.name;
    const bytes = bytesOf(row);
    this.#bufferedBytes += bytes;
    this.#retained.add(bytes);
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
    const end = rows.findIndex(({ name }) => name === this.#lastName);
    const kept = rows.slice(end);
    this.#options.onRows(rows.slice(0, end));
    this.#buffer = new Map(kept.map((row) => [row.key, row]));
    this.#retained.release(this.#bufferedBytes);
    this.#bufferedBytes = kept.reduce((sum, row) => sum + bytesOf(row), 0);
    this.#retained.add(this.#bufferedBytes);
    this.#hasHandedOn = true;
  }

  #quarantine(row: QuarantinedRow): void {
    this.#quarantinedCount += 1;
    const { sampleLimit = QUARANTINE_SAMPLE_LIMIT } = this.#options;
    if (this.#samples.length < sampleLimit) this.#samples.push(row);
  }

  /** Adds a skill or plugin. @throws SynclineError `source-attachments-too-large` */
  #attach(kind: AttachmentKind, json: string): void {
    if (this.#secrets.isIn(json)) {
      this.#quarantine({ row: `one of the ${kind}`, reason: HAS_CREDENTIAL });
      return;
    }
    const attached = this.#attached[kind];
    attached.bytes += Buffer.byteLength(json);
    if (attached.bytes > MAX_ATTACHMENT_BYTES) {
      const limit = `The limit is ${MAX_ATTACHMENT_BYTES} bytes in total`;
      const message = `the source has too many ${kind}. ${limit}`;
      throw new SynclineError('source-attachments-too-large', message);
    }
    this.#retained.add(2 * json.length);
    attached.items.push(json);
  }
}

/** Returns an upper limit of the memory that a row needs. A text that is not ASCII may need two bytes for each character. */
function bytesOf({ json }: ReadRow): number {
  const isAscii = Buffer.byteLength(json) === json.length;
  return json.length * (isAscii ? 1 : 2) + BUFFERED_ROW_BYTES;
}
