import { setImmediate as letOthersRun } from 'node:timers/promises';
import { canonicalJson, digestOf, type Filter } from '@syncline/contract';
import { type ServedRow, sortKey } from '@syncline/rows';
import { compileFilter } from '@syncline/rows/filter';
import type { OpenSnapshot } from '@syncline/snapshot';
import { decodeCursor, encodeCursor } from './cursor.ts';

/** A registry of a catalog, and what it serves. */
export interface ConflictMember {
  readonly registry: string;
  readonly snapshot: Pick<OpenSnapshot, 'rows'>;
}

/** One version of a server that registries of a catalog describe differently. */
export interface Conflict {
  readonly name: string;
  readonly version: string;
  /** The registry whose body the catalog serves: the first that has the name; `null` where that one lacks the version. */
  readonly served: string | null;
  /** Top-level members of the body that differ. */
  readonly fields: readonly string[];
  /** Every registry that has the version, in order of precedence, with the SHA-256 of its body. */
  readonly bodies: readonly { readonly registry: string; readonly digest: string }[];
}

export interface ConflictPage {
  readonly conflicts: Conflict[];
  /** Leads to the next page; `undefined` if nothing follows. */
  readonly nextCursor: string | undefined;
}

/** Some milliseconds' worth: looking through everything must not hold up whatever else is asked. */
const NAMES_PER_TURN = 1_000;

/**
 * The conflicts of a catalog, by name and version: rows of one name and version with more than one body.
 * Bodies are compared by what they say, whatever the order of their members.
 *
 * @param options.cursor the `nextCursor` of the page before
 * @throws {SynclineError} `bad-request` for another cursor
 */
export async function listConflicts(
  members: readonly ConflictMember[],
  { filter, limit, cursor }: { filter: Filter; limit: number; cursor?: string | undefined },
): Promise<ConflictPage> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor).after;
  const passes = compileFilter(filter);
  const conflicts: Conflict[] = [];
  let names = 0;
  for await (const rows of namesOf(members, after?.name)) {
    names += 1;
    if (names % NAMES_PER_TURN === 0) await letOthersRun();
    const kept = rows.filter(({ row }) => passes(row.server));
    for (const conflict of conflictsAmong(kept, rows[0]?.registry)) {
      if (after !== undefined && sortKey(conflict) <= sortKey(after)) continue;
      const last = conflicts.at(-1);
      if (conflicts.length === limit && last !== undefined) {
        return { conflicts, nextCursor: cursorAfter(last) };
      }
      conflicts.push(conflict);
    }
  }
  return { conflicts, nextCursor: undefined };
}

function cursorAfter({ name, version }: Conflict): string {
  return encodeCursor({ after: { name, version }, filters: { includeDeleted: false } });
}

interface MemberRow {
  readonly registry: string;
  readonly row: ServedRow;
}

/** All rows of one name at a time, those of the first registry first. */
async function* namesOf(
  members: readonly ConflictMember[],
  from: string | undefined,
): AsyncGenerator<MemberRow[]> {
  // No version is empty: what comes after this key is the name itself.
  const start = from === undefined ? {} : { after: { name: from, version: '' } };
  const streams = members.map(({ registry, snapshot }) => ({
    registry,
    rows: snapshot.rows(start)[Symbol.asyncIterator](),
  }));
  const heads = await Promise.all(streams.map(({ rows }) => nextRow(rows)));
  for (;;) {
    const name = leastName(heads);
    if (name === undefined) return;
    const found: MemberRow[] = [];
    for (const [index, { registry, rows }] of streams.entries()) {
      for (let row = heads[index]; row?.server.name === name; row = heads[index]) {
        found.push({ registry, row });
        heads[index] = await nextRow(rows);
      }
    }
    yield found;
  }
}

async function nextRow(rows: AsyncIterator<ServedRow>): Promise<ServedRow | undefined> {
  const { done, value } = await rows.next();
  return done === true ? undefined : value;
}

function leastName(heads: readonly (ServedRow | undefined)[]): string | undefined {
  let least: { name: string; key: string } | undefined;
  for (const head of heads) {
    if (head === undefined) continue;
    const { name } = head.server;
    const key = sortKey({ name, version: '' });
    if (least === undefined || key < least.key) least = { name, key };
  }
  return least?.name;
}

function conflictsAmong(rows: readonly MemberRow[], owner: string | undefined): Conflict[] {
  const versions = new Map<string, MemberRow[]>();
  for (const row of rows) {
    const { version } = row.row.server;
    const known = versions.get(version);
    if (known === undefined) versions.set(version, [row]);
    else known.push(row);
  }
  const conflicts: Conflict[] = [];
  for (const [version, same] of versions) {
    const bodies = same.map(({ registry, row }) => ({ registry, digest: digestOf(row.server) }));
    if (new Set(bodies.map(({ digest }) => digest)).size < 2) continue;
    const name = same[0]?.row.server.name ?? '';
    const served = same.find(({ registry }) => registry === owner)?.registry ?? null;
    const fields = differingFields(same.map(({ row }) => row.server));
    conflicts.push({ name, version, served, fields, bodies });
  }
  return conflicts.sort((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1));
}

function differingFields(bodies: readonly ServedRow['server'][]): string[] {
  const fields = new Set(bodies.flatMap((body) => Object.keys(body)));
  const differs = (field: string) =>
    new Set(bodies.map((body) => canonicalJson(Reflect.get(body, field)))).size > 1;
  return [...fields].filter(differs).sort();
}
