import { QUARANTINE_SAMPLE_LIMIT, type QuarantinedRow, SynclineError } from '@syncline/contract';
import type { BodyOrigin, BodySummary, ParsedBody, ReadRow, RowReading } from '@syncline/rows';
import { parseBody } from '@syncline/rows/parse';
import { type AttachmentKind, MAX_ATTACHMENT_CHARACTERS } from '@syncline/snapshot';
import { OutOfOrder } from './messages.ts';

/** What was read besides rows that are fine. */
export interface CollectedTotals {
  /** Rows that were read, before quarantine. */
  readonly readCount: number;
  /** The JSON of each skill and plugin, in the order they came. */
  readonly skills: readonly string[];
  readonly plugins: readonly string[];
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
}

export interface RowCollectorOptions {
  readonly maxRows: number;
  /** How many rows that are left out are named, with their reasons. */
  readonly sampleLimit?: number;
  /**
   * `arrival`: rows are handed on while they come, as long as they come in order, and few are kept.
   * `buffered`: all are kept, and handed on at the end.
   */
  readonly order: 'arrival' | 'buffered';
  /** Takes rows sorted by key, each key once, all versions of a name together. */
  readonly onRows: (rows: readonly ReadRow[]) => void;
}

/** So many rows are kept back at least, to find out about the order before anything is handed on. */
const HELD_ROWS = 500;

/** Takes the bodies of a source one by one: parses, validates each row alone, sorts. */
export class RowCollector {
  readonly #options: RowCollectorOptions;
  #held = new Map<string, ReadRow>();
  #isSorted: boolean;
  #hasHandedOn = false;
  #lastKey = '';
  readonly #samples: QuarantinedRow[] = [];
  #readCount = 0;
  readonly #skills = new AttachedItems('skills');
  readonly #plugins = new AttachedItems('plugins');
  #quarantinedCount = 0;

  constructor(options: RowCollectorOptions) {
    this.#options = options;
    this.#isSorted = options.order === 'arrival';
  }

  /** Takes a body apart; its rows are still to be taken. @throws SynclineError where it is no registry */
  parse(body: Uint8Array, origin: BodyOrigin = {}): { summary: BodySummary; take: () => void } {
    const parsed = parseBody(body, origin);
    const { format, rowCount, nextCursor } = parsed;
    return {
      summary: { format, rowCount, nextCursor },
      take: () => this.#takeAll(parsed, origin),
    };
  }

  /** Hands on what is still kept: of the order `buffered`, all rows. */
  finish(onRows = this.#options.onRows): CollectedTotals {
    const rows = [...this.#held.values()];
    this.#held = new Map();
    if (!this.#isSorted) rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    onRows(rows);
    return {
      readCount: this.#readCount,
      skills: this.#skills.items,
      plugins: this.#plugins.items,
      quarantined: { count: this.#quarantinedCount, samples: this.#samples },
    };
  }

  /** @throws SynclineError for too many rows; {@link OutOfOrder} */
  #takeAll({ readRows, skills, plugins }: ParsedBody, { name }: BodyOrigin): void {
    this.#skills.add(skills);
    this.#plugins.add(plugins);
    // Of a body with a name the place in it says more than the place among all.
    const firstPlace = name === undefined ? this.#readCount + 1 : 1;
    for (const reading of readRows(firstPlace)) this.#take(reading, name);
    if (this.#isSorted && this.#held.size >= HELD_ROWS) this.#handOn();
  }

  #take(reading: RowReading, bodyName: string | undefined): void {
    this.#readCount += 1;
    if (this.#readCount > this.#options.maxRows) {
      throw new SynclineError('source-too-large', 'the source has too many rows', {
        expected: `at most ${this.#options.maxRows}`,
      });
    }
    const quarantine = (label: string, reason: string) =>
      this.#quarantine({ row: bodyName === undefined ? label : `${bodyName}: ${label}`, reason });
    if (!reading.ok) {
      quarantine(reading.label, reading.reason);
      return;
    }
    const { row } = reading;
    const known = this.#held.get(row.key);
    // A page that overlaps the one before repeats rows; only a contradiction is worth a word.
    if (known?.json === row.json) return;
    if (known !== undefined) {
      const reason = 'the source has another row of this name and version, which was kept';
      quarantine(`${row.name}@${row.version}`, reason);
      return;
    }
    this.#noteOrder(row);
    this.#held.set(row.key, row);
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

  /** All but the last name, of which more versions may come. */
  #handOn(): void {
    const rows = [...this.#held.values()];
    const lastName = rows.at(-1)?.name;
    const end = rows.findIndex(({ name }) => name === lastName);
    this.#options.onRows(rows.slice(0, end));
    this.#held = new Map(rows.slice(end).map((row) => [row.key, row]));
    this.#hasHandedOn = true;
  }

  #quarantine(row: QuarantinedRow): void {
    this.#quarantinedCount += 1;
    const { sampleLimit = QUARANTINE_SAMPLE_LIMIT } = this.#options;
    if (this.#samples.length < sampleLimit) this.#samples.push(row);
  }
}

/** All skills, or all plugins, of a source: its bodies' lists, one after the other. */
class AttachedItems {
  readonly #kind: AttachmentKind;
  readonly items: string[] = [];
  #size = 0;

  constructor(kind: AttachmentKind) {
    this.#kind = kind;
  }

  /** @throws SynclineError `source-too-large` */
  add(values: readonly unknown[]): void {
    for (const value of values) {
      const json = JSON.stringify(value);
      this.#size += json.length;
      if (this.#size > MAX_ATTACHMENT_CHARACTERS) {
        throw new SynclineError('source-too-large', `the source has too many ${this.#kind}`, {
          expected: `at most ${MAX_ATTACHMENT_CHARACTERS} characters of them`,
        });
      }
      this.items.push(json);
    }
  }
}
