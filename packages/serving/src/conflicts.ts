import { setImmediate as letOthersRun } from 'node:timers/promises';
import { canonicalJson, digestOf, type Filter } from '@syncline/contract';
import { byName, type RowKey, type ServedRow, sortKey } from '@syncline/rows';
import { compileFilter } from '@syncline/rows/filter';
import type { OpenSnapshot } from '@syncline/snapshot';
import { decodeCursor, encodeCursor } from './cursor.ts';

/** A registry of a catalog, and the snapshot that it serves. */
export interface ConflictMember {
  readonly registry: string;
  readonly snapshot: Pick<OpenSnapshot, 'rows'>;
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
  readonly conflicts: Conflict[];
  /** The cursor of the next page; `undefined` on the last page. */
  readonly nextCursor: string | undefined;
}

/** About as many names as take several milliseconds. A walk through all rows must not block other requests. */
const NAMES_PER_TURN = 1_000;

/**
 * Lists the conflicts of a catalog, sorted by name and version. A conflict is a name and version with more than one
 * body. The order of a body's members does not matter.
 *
 * @param options.cursor the `nextCursor` of the previous page
 * @throws {SynclineError} `bad-request` for an invalid cursor
 */
export async function listConflicts(
  members: readonly ConflictMember[],
  { filter, limit, cursor }: { filter: Filter; limit: number; cursor?: string | undefined },
): Promise<ConflictPage> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor).after;
  const passes = compileFilter(filter);
  const conflicts: Conflict[] = [];
  let names = 0;
  for await (const groups of byName(members.map((member) => rowsFrom(member, after?.name)))) {
    names += 1;
    if (names % NAMES_PER_TURN === 0) await letOthersRun();
    const rows = groups.flat();
    const owner = rows[0]?.registry;
    for (const conflict of conflictsAmong(
      rows.filter(({ row }) => passes(row.server)),
      owner,
    )) {
      if (after !== undefined && sortKey(conflict) <= sortKey(after)) continue;
      const last = conflicts.at(-1);
      if (conflicts.length === limit && last !== undefined) {
        const { name, version } = last;
        const filters = { includeDeleted: false };
        return { conflicts, nextCursor: encodeCursor({ after: { name, version }, filters }) };
      }
      conflicts.push(conflict);
    }
  }
  return { conflicts, nextCursor: undefined };
}

interface MemberRow {
  readonly key: string;
  readonly registry: string;
  readonly row: ServedRow;
}

async function* rowsFrom(
  { registry, snapshot }: ConflictMember,
  name: string | undefined,
): AsyncGenerator<readonly MemberRow[]> {
  // A version is never empty, so all versions of the name come after this key.
  const start = name === undefined ? {} : { after: { name, version: '' } };
  for await (const row of snapshot.rows(start)) yield [{ key: sortKey(row.server), registry, row }];
}

/** Returns the conflicts among the rows of one name, in the order of the registries. */
function conflictsAmong(rows: readonly MemberRow[], owner: string | undefined): Conflict[] {
  const conflicts: Conflict[] = [];
  for (const same of Map.groupBy(rows, ({ key }) => key).values()) {
    const bodies = same.map(({ registry, row }) => ({ registry, digest: digestOf(row.server) }));
    const [first] = same;
    if (first === undefined || new Set(bodies.map(({ digest }) => digest)).size < 2) continue;
    const { name, version } = first.row.server;
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
