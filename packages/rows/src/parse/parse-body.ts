import { SynclineError } from '@syncline/contract';
import { z } from 'zod';
import { findFlaw } from './find-flaw.ts';
import { type ParsedValue, parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';
import { type RowCandidate, type RowReading, readRow, rowLabel } from './read-row.ts';
import { convertLegacyEntry, legacyEntries } from './toolhive-legacy.ts';

/** The shapes in which a registry comes. */
export type BodyFormat =
  | 'registry-list'
  | 'upstream-registry'
  | 'server-array'
  | 'toolhive-legacy'
  | 'single-server';

/** What one body is, where a source has several or knows more than its bytes. */
export interface BodyOrigin {
  /** What errors and quarantined rows call it: a path within a repository. */
  readonly name?: string;
  /** Default: `json`. */
  readonly syntax?: 'json' | 'yaml';
}

/** What one body of a source turned out to hold. */
export type BodySummary = Pick<ParsedBody, 'format' | 'rowCount' | 'nextCursor'>;

/** What one body of a source holds. */
export interface ParsedBody {
  readonly format: BodyFormat;
  /** How many rows there are to be read. */
  readonly rowCount: number;
  /** Reads them, each alone. @param firstPlace the number of the first one, for what has no name */
  readonly readRows: (firstPlace: number) => Iterable<RowReading>;
  /** Of a list in pages: what to ask for next. */
  readonly nextCursor: string | undefined;
  readonly skills: readonly unknown[];
  readonly plugins: readonly unknown[];
}

const cursor = z.string().nullish();
const registryList = z.object({
  servers: z.array(z.unknown()).nullable(),
  metadata: z.object({ nextCursor: cursor, next_cursor: cursor }).nullish(),
});
const upstreamRegistry = z.object({
  data: z.object({
    servers: z.array(z.unknown()).nullish(),
    skills: z.array(z.unknown()).nullish(),
    plugins: z.array(z.unknown()).nullish(),
  }),
});
const serverArray = z.array(z.unknown());
// A version of any type: a file that says `version: 1.0` in YAML is a server with a flaw.
const bareServer = z.object({ name: z.string(), version: z.unknown() });
const singleServer = z.union([
  z.object({ server: bareServer }),
  bareServer.refine((value) => value.version !== undefined),
]);

/**
 * Finds out in which format a body is, and takes it apart.
 *
 * @throws SynclineError `source-not-json`, `source-not-a-registry`, `source-too-deep`,
 *   `source-too-large`, saying what the body looked like, and its name where it has one
 */
export function parseBody(body: Uint8Array, { name, syntax }: BodyOrigin = {}): ParsedBody {
  try {
    return takeApart(syntax === 'yaml' ? parseYaml(body) : parseJson(body));
  } catch (error) {
    if (name === undefined || !(error instanceof SynclineError)) throw error;
    throw new SynclineError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

function takeApart({ value, isSuspect }: ParsedValue): ParsedBody {
  const plain = (rows: readonly unknown[]) => ({
    ...rowsOf(rows, { convert: (row) => ({ row }), isSuspect }),
    nextCursor: undefined,
    skills: [],
    plugins: [],
  });
  const array = serverArray.safeParse(value);
  if (array.success) return { ...plain(array.data), format: 'server-array' };
  const list = registryList.safeParse(value);
  if (list.success) {
    const { servers, metadata } = list.data;
    const nextCursor = metadata?.nextCursor || metadata?.next_cursor || undefined;
    return { ...plain(servers ?? []), format: 'registry-list', nextCursor };
  }
  const upstream = upstreamRegistry.safeParse(value);
  if (upstream.success) {
    const { servers, skills, plugins } = upstream.data.data;
    if (isSuspect) refuseFlaws({ skills, plugins });
    const carried = { skills: skills ?? [], plugins: plugins ?? [] };
    return { ...plain(servers ?? []), ...carried, format: 'upstream-registry' };
  }
  const entries = legacyEntries(value);
  if (entries !== undefined) {
    const rows = rowsOf(entries, { convert: convertLegacyEntry, isSuspect });
    return { ...plain([]), ...rows, format: 'toolhive-legacy' };
  }
  if (singleServer.safeParse(value).success) return { ...plain([value]), format: 'single-server' };
  throw new SynclineError(
    'source-not-a-registry',
    `the source gave ${describeValue(value)}, which is no registry`,
    {
      expected:
        'an object with `servers`, an object with `data.servers`, an array of servers, or a server',
    },
  );
}

/** Skills and plugins are carried as they are, and nobody looks into them: there is no quarantine. */
function refuseFlaws(lists: Readonly<Record<string, unknown>>): void {
  for (const [kind, items] of Object.entries(lists)) {
    const flaw = findFlaw(items);
    if (flaw === undefined) continue;
    throw new SynclineError('source-not-a-registry', `one of the source’s ${kind} ${flaw}`);
  }
}

function rowsOf<Raw>(
  rows: readonly Raw[],
  { convert, isSuspect }: { convert: (raw: Raw) => RowCandidate; isSuspect: boolean },
): Pick<ParsedBody, 'rowCount' | 'readRows'> {
  return {
    rowCount: rows.length,
    *readRows(firstPlace) {
      for (const [index, raw] of rows.entries()) {
        const candidate = convert(raw);
        if ('reason' in candidate) yield { ok: false, ...candidate };
        else yield readCandidate(candidate.row, { place: firstPlace + index, isSuspect });
      }
    },
  };
}

function readCandidate(
  row: unknown,
  { place, isSuspect }: { place: number; isSuspect: boolean },
): RowReading {
  const flaw = isSuspect ? findFlaw(row) : undefined;
  return flaw === undefined
    ? readRow(row, place)
    : { ok: false, label: rowLabel(row, place), reason: `the row ${flaw}` };
}

function describeValue(value: unknown): string {
  if (value === null) return '`null`';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const keys = Object.keys(value);
  if (keys.length === 0) return 'an empty object';
  return `an object with ${keys
    .slice(0, 8)
    .map((key) => `\`${key.slice(0, 40)}\``)
    .join(', ')}${keys.length > 8 ? ', …' : ''}`;
}
