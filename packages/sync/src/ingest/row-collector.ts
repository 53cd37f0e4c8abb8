import { QUARANTINE_SAMPLE_LIMIT, type QuarantinedRow, SynclineError } from '@syncline/contract';
import type { BodyOrigin, BodySummary, ParsedBody, ReadRow, RowReading } from '@syncline/rows';
import { parseBody } from '@syncline/rows/parse';
import { type AttachmentKind, MAX_ATTACHMENT_CHARACTERS } from '@syncline/snapshot';
import { OutOfOrder } from './messages.ts';

export interface RowCollectorOptions {
  /** Default: 2,000,000. No current registry has so many rows: the official one has about 100,000. */
  readonly maxRows?: number;
  /** How many bytes of rows to keep at once. Default: no limit. */
  readonly maxRetainedBytes?: number;
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

const MAX_ROWS = 2_000_000;
/** The collector buffers at least this many rows to detect the order before it hands any on. */
const BUFFERED_ROWS = 500;
/** What a buffered row needs beside its JSON and its key. */
const ROW_BYTES = 400;

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
    skills: { items: [] as string[], size: 0 },
    plugins: { items: [] as string[], size: 0 },
  };
  #quarantinedCount = 0;
  #bufferedBytes = 0;

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

  /** The bytes of the rows that are buffered. */
  get retainedBytes(): number {
    return this.#bufferedBytes;
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
  #takeAll({ readRows, skills, plugins }: ParsedBody, { name }: BodyOrigin): void {
    this.#attach('skills', skills);
    this.#attach('plugins', plugins);
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
      throw new SynclineError('source-too-large', message);
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
    this.#keep(row);
  }

  /** @throws SynclineError `run-out-of-memory` */
  #keep(row: ReadRow): void {
    const { maxRetainedBytes = Number.POSITIVE_INFINITY } = this.#options;
    this.#buffer.set(row.key, row);
    this.#bufferedBytes += row.json.length + row.key.length + ROW_BYTES;
    if (this.#bufferedBytes <= maxRetainedBytes) return;
    const message = `the rows of the registry need more memory than a run may use: ${maxRetainedBytes} bytes`;
    throw new SynclineError('run-out-of-memory', message);
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
    this.#buffer = new Map();
    this.#bufferedBytes = 0;
    for (const row of rows.slice(end)) this.#keep(row);
    this.#hasHandedOn = true;
  }

  #quarantine(row: QuarantinedRow): void {
    this.#quarantinedCount += 1;
    const { sampleLimit = QUARANTINE_SAMPLE_LIMIT } = this.#options;
    if (this.#samples.length < sampleLimit) this.#samples.push(row);
  }

  /** Adds skills or plugins. @throws SynclineError `source-too-large` */
  #attach(kind: AttachmentKind, values: readonly unknown[]): void {
    const attached = this.#attached[kind];
    for (const value of values) {
      const json = JSON.stringify(value);
      attached.size += json.length;
      if (attached.size > MAX_ATTACHMENT_CHARACTERS) {
        const limit = `The limit is ${MAX_ATTACHMENT_CHARACTERS} characters in total`;
        throw new SynclineError('source-too-large', `the source has too many ${kind}. ${limit}`);
      }
      attached.items.push(json);
    }
  }
}
