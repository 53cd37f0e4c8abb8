import { QUARANTINE_SAMPLE_LIMIT, type QuarantinedRow, SynclineError } from '@syncline/contract';
import type { BodyOrigin, BodySummary, ParsedBody, ReadRow, RowReading } from '@syncline/rows';
import { parseBody } from '@syncline/rows/parse';
import { type AttachmentKind, MAX_ATTACHMENT_CHARACTERS } from '@syncline/snapshot';
import { OutOfOrder } from './messages.ts';

export interface RowCollectorOptions {
  /** Default: 2,000,000. No registry of today has so many; the official one has some 100,000. */
  readonly maxRows?: number;
  /** How many skipped rows are named with their reasons. */
  readonly sampleLimit?: number;
  /**
   * `arrival`: rows are handed on as they come, as long as they are in order; few are buffered.
   * `buffered`: all rows are buffered, and handed on at the end.
   */
  readonly order: 'arrival' | 'buffered';
  /** Gets rows sorted by key, each key once, all versions of a name together. */
  readonly onRows: (rows: readonly ReadRow[]) => void;
}

const MAX_ROWS = 2_000_000;
/** At least so many rows are buffered, to detect the order before any is handed on. */
const BUFFERED_ROWS = 500;

/** Takes the bodies of a source one by one: parses them, validates each row, sorts the rows. */
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

  constructor(options: RowCollectorOptions) {
    this.#options = options;
    this.#isSorted = options.order === 'arrival';
  }

  /** Parses a body. `take` must then be called for its rows. @throws SynclineError if it is not a registry */
  parse(body: Uint8Array, origin: BodyOrigin = {}): { summary: BodySummary; take: () => void } {
    const parsed = parseBody(body, origin);
    const { format, rowCount, nextCursor } = parsed;
    return {
      summary: { format, rowCount, nextCursor },
      take: () => this.#takeAll(parsed, origin),
    };
  }

  /** Hands on the rows that are still buffered. Returns the totals of all bodies: `readCount` includes invalid rows. */
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

  /** @throws SynclineError for too many rows; {@link OutOfOrder} */
  #takeAll({ readRows, skills, plugins }: ParsedBody, { name }: BodyOrigin): void {
    this.#attach('skills', skills);
    this.#attach('plugins', plugins);
    // In a body with a name, the place within that body is the useful one.
    const firstPlace = name === undefined ? this.#readCount + 1 : 1;
    for (const reading of readRows(firstPlace)) this.#take(reading, name);
    if (this.#isSorted && this.#buffer.size >= BUFFERED_ROWS) this.#handOn();
  }

  #take(reading: RowReading, bodyName: string | undefined): void {
    const { maxRows = MAX_ROWS } = this.#options;
    this.#readCount += 1;
    if (this.#readCount > maxRows) {
      const expected = `at most ${maxRows}`;
      throw new SynclineError('source-too-large', 'the source has too many rows', { expected });
    }
    const quarantine = (label: string, reason: string) =>
      this.#quarantine({ row: bodyName === undefined ? label : `${bodyName}: ${label}`, reason });
    if (!reading.ok) {
      quarantine(reading.label, reading.reason);
      return;
    }
    const { row } = reading;
    const known = this.#buffer.get(row.key);
    // Overlapping pages repeat rows. Only a contradiction is reported.
    if (known?.json === row.json) return;
    if (known !== undefined) {
      const reason = 'the source has another row of this name and version, which was kept';
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

  /** Hands on all names but the last one: more of its versions may come. */
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

  /** @throws SynclineError `source-too-large` */
  #attach(kind: AttachmentKind, values: readonly unknown[]): void {
    const attached = this.#attached[kind];
    for (const value of values) {
      const json = JSON.stringify(value);
      attached.size += json.length;
      if (attached.size > MAX_ATTACHMENT_CHARACTERS) {
        const expected = `at most ${MAX_ATTACHMENT_CHARACTERS} characters of them`;
        const message = `the source has too many ${kind}`;
        throw new SynclineError('source-too-large', message, { expected });
      }
      attached.items.push(json);
    }
  }
}
