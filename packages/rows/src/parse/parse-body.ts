import { SynclineError } from '@syncline/contract';
import { z } from 'zod';
import { type RowReading, readRow, rowLabel } from '../row-codec.ts';
import { findFlaw, type ParsedValue, parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';
import { convertLegacyEntry, legacyEntries, type RowCandidate } from './toolhive-legacy.ts';

/** The formats that a registry may have. */
export type BodyFormat =
  | 'registry-list'
  | 'upstream-registry'
  | 'server-array'
  | 'toolhive-legacy'
  | 'single-server';

/** What a source knows about a body besides its bytes. */
export interface BodyOrigin {
  /** The name of the body in errors and quarantined rows, such as a path within a repository. */
  readonly name?: string;
  /** Default: `json`. */
  readonly syntax?: 'json' | 'yaml';
}

/** What a source needs to know about its body. */
export type BodySummary = Pick<ParsedBody, 'format' | 'rowCount' | 'nextCursor'>;

/** The content of a body. */
export interface ParsedBody {
  readonly format: BodyFormat;
  readonly rowCount: number;
  /** Reads each row independently of the others. @param firstPlace the number of the first row */
  readonly readRows: (firstPlace: number) => Iterable<RowReading>;
  /** The cursor of the next page. Absent on the last page. */
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
// Accepts any type of version: `version: 1.0` in YAML makes the server invalid, but does not change the format.
const bareServer = z.object({ name: z.string(), version: z.unknown() });
const singleServer = z.union([
  z.object({ server: bareServer }),
  bareServer.refine((value) => value.version !== undefined),
]);

/**
 * Detects the format of a body, and splits the body into rows.
 *
 * @throws SynclineError `source-not-json`, `source-not-a-registry`, `source-too-deep`, `source-too-large`. The message
 *   describes the body, after its name if it has one
 */
export function parseBody(body: Uint8Array, { name, syntax }: BodyOrigin = {}): ParsedBody {
  try {
    return splitBody(syntax === 'yaml' ? parseYaml(body) : parseJson(body));
  } catch (error) {
    if (name === undefined || !(error instanceof SynclineError)) throw error;
    throw new SynclineError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

function splitBody({ value, isSuspect }: ParsedValue): ParsedBody {
  const bodyOf = <Raw>(
    format: BodyFormat,
    rows: readonly Raw[],
    convert: (raw: Raw) => RowCandidate,
    others: Partial<ParsedBody> = {},
  ): ParsedBody => ({
    format,
    rowCount: rows.length,
    *readRows(firstPlace) {
      for (const [index, raw] of rows.entries()) {
        const candidate = convert(raw);
        if ('reason' in candidate) yield { ok: false, ...candidate };
        else yield readCandidate(candidate.row, { place: firstPlace + index, isSuspect });
      }
    },
    nextCursor: undefined,
    skills: [],
    plugins: [],
    ...others,
  });
  const array = serverArray.safeParse(value);
  if (array.success) return bodyOf('server-array', array.data, toCandidate);
  const list = registryList.safeParse(value);
  if (list.success) {
    const { servers, metadata } = list.data;
    const nextCursor = metadata?.nextCursor || metadata?.next_cursor || undefined;
    return bodyOf('registry-list', servers ?? [], toCandidate, { nextCursor });
  }
  const upstream = upstreamRegistry.safeParse(value);
  if (upstream.success) {
    const { servers, skills, plugins } = upstream.data.data;
    if (isSuspect) rejectFlaws({ skills, plugins });
    const carried = { skills: skills ?? [], plugins: plugins ?? [] };
    return bodyOf('upstream-registry', servers ?? [], toCandidate, carried);
  }
  const entries = legacyEntries(value);
  if (entries !== undefined) return bodyOf('toolhive-legacy', entries, convertLegacyEntry);
  if (singleServer.safeParse(value).success) return bodyOf('single-server', [value], toCandidate);
  throw new SynclineError(
    'source-not-a-registry',
    `the source returned ${describeValue(value)}, which is not a registry`,
    {
      expected:
        'an object with a list `servers` or `data.servers`, an array of servers, or a server',
    },
  );
}

function toCandidate(row: unknown): RowCandidate {
  return { row };
}

/** Rejects invalid skills and plugins. Syncline copies both unread, so that it cannot quarantine a single one. */
function rejectFlaws(lists: Readonly<Record<string, unknown>>): void {
  for (const [kind, items] of Object.entries(lists)) {
    const flaw = findFlaw(items);
    if (flaw === undefined) continue;
    throw new SynclineError(
      'source-not-a-registry',
      `the source has an invalid item in ${kind}: the item ${flaw}`,
    );
  }
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
