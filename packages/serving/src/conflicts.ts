import { canonicalJson, digestOf, type Filter } from '@syncline/contract';
import { type RowKey, type ServedRow, sortKey } from '@syncline/rows';
import { compileFilter } from '@syncline/rows/filter';
import type { OpenSnapshot } from '@syncline/snapshot';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { Page } from './page.ts';
import { beginSlices } from './turns.ts';

/** A registry of a catalog, and the snapshot that it serves. */
export interface ConflictMember {
  readonly registry: string;
  readonly snapshot: Pick<OpenSnapshot, 'batches'>;
}

/** One version of a server that registries of a catalog describe differently. */
export interface Conflict extends RowKey {
  /**
   * The registry whose body the catalog serves: the first registry that has the name. `null` if this registry lacks the
   * version.
   */
  readonly served: string | null;
  /** The top-level members of the body that differ. */
  readonly fields: readonly string[];
  /** Every registry that has the version, in order of precedence, with the SHA-256 of its body. */
  readonly bodies: readonly { readonly registry: string; readonly digest: string }[];
}

export interface ConflictPage {
  readonly conflicts: readonly Conflict[];
  /** The cursor of the next page; `undefined` on the last page. */
  readonly nextCursor: string | undefined;
}

export interface ConflictsRequest {
  readonly filter: Filter;
  readonly limit: number;
  /** The `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
  /** Aborted when nobody needs the answer anymore. */
  readonly signal?: AbortSignal;
}

/**
 * Lists the conflicts of a catalog, sorted by name and version. A conflict is a name and version with more than one
 * body. The order of a body's members does not matter.
 *
 * @throws {SynclineError} `bad-request` for an invalid cursor
 */
export async function listConflicts(
  members: readonly ConflictMember[],
  { filter, limit, cursor, signal }: ConflictsRequest,
): Promise<ConflictPage> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor).after;
  const passes = compileFilter(filter);
  const page = new Page<Conflict>({ limit });
  let last: RowKey | undefined;
  for await (const same of byKey(members, { after, signal })) {
    const rows = same.filter(({ row }) => passes(row.server));
    const [first] = rows;
    if (first === undefined) continue;
    const bodies = rows.map(({ registry, row }) => ({ registry, digest: digestOf(row.server) }));
    if (new Set(bodies.map(({ digest }) => digest)).size < 2) continue;
    const { name, version } = first.row.server;
    const owner = await ownerOf(members, name);
    const served = rows.find(({ registry }) => registry === owner)?.registry ?? null;
    const fields = differingFields(rows.map(({ row }) => row.server));
    const isAdded = page.add({ name, version, served, fields, bodies });
    if (!isAdded && last !== undefined) {
      const filters = { includeDeleted: false };
      return { conflicts: page.items, nextCursor: encodeCursor({ after: last, filters }) };
    }
    last = { name, version };
  }
  return { conflicts: page.items, nextCursor: undefined };
}

interface MemberRow {
  readonly registry: string;
  readonly row: ServedRow;
}

/**
 * Walks the snapshots of all members together. Yields the rows of each key that several members have, in the order of
 * the members.
 */
async function* byKey(
  members: readonly ConflictMember[],
  { after, signal }: { after: RowKey | undefined; signal: AbortSignal | undefined },
): AsyncGenerator<readonly MemberRow[]> {
  const slices = await beginSlices(signal);
  const start = { purpose: 'scan', ...(after === undefined ? {} : { after }) } as const;
  const heads = members.map(
    ({ registry, snapshot }) => new Head(registry, snapshot.batches(start)),
  );
  for (const head of heads) await head.fill();
  for (let key = leastKey(heads); key !== undefined; key = leastKey(heads)) {
    const rows: MemberRow[] = [];
    for (const head of heads) {
      const { registry, row } = head;
      if (head.key !== key || row === undefined) continue;
      rows.push({ registry, row });
      if (!head.next()) await head.fill();
    }
    if (rows.length > 1) yield rows;
    if (slices.isOver()) await slices.pause();
  }
}

function leastKey(heads: readonly Head[]): string | undefined {
  const keys = heads.flatMap(({ key }) => key ?? []);
  return keys.reduce<string | undefined>(
    (least, key) => (least === undefined || key < least ? key : least),
    undefined,
  );
}

/** The first row of a member that the walk has not passed. */
class Head {
  readonly registry: string;
  readonly #batches: AsyncIterator<readonly ServedRow[]>;
  #rows: readonly ServedRow[] = [];
  #index = 0;
  key: string | undefined;

  constructor(registry: string, batches: AsyncIterable<readonly ServedRow[]>) {
    this.registry = registry;
    this.#batches = batches[Symbol.asyncIterator]();
  }

  get row(): ServedRow | undefined {
    return this.#rows[this.#index];
  }

  /** Moves to the next row of the batch. @returns false if the batch has no more rows */
  next(): boolean {
    this.#index += 1;
    return this.#see();
  }

  /** Reads batches until there is a row. After the last batch, there is no row and no key. */
  async fill(): Promise<void> {
    for (;;) {
      const { value = [], done } = await this.#batches.next();
      this.#rows = value;
      this.#index = 0;
      if (this.#see() || done === true) return;
    }
  }

  #see(): boolean {
    const { row } = this;
    this.key = row === undefined ? undefined : sortKey(row.server);
    return row !== undefined;
  }
}

/** Returns the first registry that has the name: the catalog serves its versions. */
async function ownerOf(
  members: readonly ConflictMember[],
  name: string,
): Promise<string | undefined> {
  for (const { registry, snapshot } of members) {
    // A version is never empty, so all versions of the name come after this key.
    for await (const [row] of snapshot.batches({ after: { name, version: '' } })) {
      if (row === undefined) continue;
      if (row.server.name === name) return registry;
      break;
    }
  }
  return undefined;
}

function differingFields(bodies: readonly ServedRow['server'][]): string[] {
  const fields = new Set(bodies.flatMap((body) => Object.keys(body)));
  const differs = (field: string) =>
    new Set(bodies.map((body) => canonicalJson(Reflect.get(body, field)))).size > 1;
  return [...fields].filter(differs).sort();
}
