import { OFFICIAL_META, type ServerStatus } from '@syncline/rows';
import { compareBytes } from '../byte-order.ts';
import { rowKey } from '../rows/row.ts';
import { instantKey } from './instant.ts';

/** A row that is served unchanged. It may lack the official block. */
export interface UpstreamRow {
  readonly server: {
    readonly name: string;
    readonly version: string;
    readonly [member: string]: unknown;
  };
  readonly _meta?: { readonly [key: string]: unknown };
}

/** The data of a row that answers need, and its JSON, which is created only once. */
export interface Entry {
  readonly name: string;
  readonly version: string;
  readonly isLatest: boolean;
  readonly status: ServerStatus;
  /** The time as a sortable text, see {@link instantKey}. Empty if the row has no such time. */
  readonly publishedAt: string;
  readonly updatedAt: string;
  /** The name and the description in lower case, each on its own line. */
  readonly searched: string;
  readonly json: Buffer;
}

/** The rows of an upstream, in the byte order of name and version. */
export class Corpus {
  readonly #entries = new Map<string, Entry>();
  #sorted: readonly Entry[] | undefined;

  get size(): number {
    return this.#entries.size;
  }

  upsert(rows: Iterable<UpstreamRow>): void {
    for (const row of rows) this.#entries.set(rowKey(row), entryOf(row));
    this.#sorted = undefined;
  }

  /**
   * Removes rows. @throws if a key does not exist, because a test that removes nothing tests
   * nothing
   */
  remove(keys: Iterable<string>): void {
    for (const key of keys) {
      if (!this.#entries.delete(key)) throw new Error(`the upstream has no row ${key} to remove`);
    }
    this.#sorted = undefined;
  }

  replace(rows: Iterable<UpstreamRow>): void {
    this.#entries.clear();
    this.upsert(rows);
  }

  /** Yields the entries after `after` in order, or all entries if `after` is absent. */
  *entriesAfter(after: { name: string; version: string } | undefined): Generator<Entry> {
    this.#sorted ??= [...this.#entries.values()].sort(compareEntries);
    const sorted = this.#sorted;
    let low = 0;
    if (after !== undefined) {
      let high = sorted.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const entry = sorted[middle];
        if (entry !== undefined && compareEntries(entry, after) <= 0) low = middle + 1;
        else high = middle;
      }
    }
    for (let index = low; index < sorted.length; index += 1) {
      const entry = sorted[index];
      if (entry !== undefined) yield entry;
    }
  }

  /** Returns all versions of a name. */
  versionsOf(name: string): Entry[] {
    const versions: Entry[] = [];
    for (const entry of this.entriesAfter({ name, version: '' })) {
      if (entry.name !== name) break;
      versions.push(entry);
    }
    return versions;
  }
}

type Place = Pick<Entry, 'name' | 'version'>;

function compareEntries(left: Place, right: Place): number {
  return compareBytes(left.name, right.name) || compareBytes(left.version, right.version);
}

function entryOf(row: UpstreamRow): Entry {
  const { name, version } = row.server;
  const description = String(row.server['description'] ?? '');
  // The official block may have any shape, because tests also serve invalid blocks.
  const official = new Map(Object.entries(Object(row._meta?.[OFFICIAL_META])));
  const status = official.get('status');
  return {
    name,
    version,
    isLatest: official.get('isLatest') === true,
    status: status === 'deprecated' || status === 'deleted' ? status : 'active',
    publishedAt: instantKey(String(official.get('publishedAt'))) ?? '',
    updatedAt: instantKey(String(official.get('updatedAt'))) ?? '',
    searched: `${name}\n${description}`.toLowerCase(),
    json: Buffer.from(JSON.stringify(row)),
  };
}
