import { SynclineError } from '@syncline/contract';
import { z } from 'zod';
import { MAX_ROWS } from '../limits.ts';
import { type RowReading, readRow, rowLabel } from '../row-codec.ts';
import type { Body } from './body-bytes.ts';
import { parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';
import { findFlaw, type ItemReading, type ParsedValue } from './parsed-body.ts';
import { tooManyRows } from './row-scanner.ts';
import {
  convertLegacyEntry,
  type LegacyEntry,
  legacyEntries,
  type RowCandidate,
} from './toolhive-legacy.ts';

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

/** A skill or plugin, as the source gave it. */
export interface Attached {
  readonly kind: 'skills' | 'plugins';
  readonly json: string;
}

/** The content of a body. Its readers parse one row, skill or plugin at a time. They throw `source-not-json`. */
export interface ParsedBody {
  readonly format: BodyFormat;
  readonly rowCount: number;
  /** Reads each row independently of the others. @param firstPlace the number of the first row */
  readonly readRows: (firstPlace: number) => Iterable<RowReading>;
  /** @throws SynclineError `source-not-a-registry`, because Syncline cannot quarantine a single skill or plugin */
  readonly readAttached: () => Iterable<Attached>;
  /** The cursor of the next page. Absent on the last page. */
  readonly nextCursor: string | undefined;
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
 * Detects the format of a body, and finds the rows of the body.
 *
 * @throws SynclineError `source-not-json`, `source-not-a-registry`, `source-too-deep`, `source-envelope-too-large`,
 *   `source-too-many-rows`, `source-yaml-too-large`. The message describes the body, after its name if it has one
 */
export function parseBody(body: Body, { name, syntax }: BodyOrigin = {}): ParsedBody {
  return withName(name, () => {
    const parsed = syntax === 'yaml' ? parseYaml(body) : parseJson(body);
    const { readRows, readAttached, ...content } = splitBody(parsed);
    return {
      ...content,
      readRows: (firstPlace) => eachWithName(name, readRows(firstPlace)),
      readAttached: () => eachWithName(name, readAttached()),
    };
  });
}

function withName<Result>(name: string | undefined, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (name === undefined || !(error instanceof SynclineError)) throw error;
    throw new SynclineError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

function* eachWithName<Item>(name: string | undefined, items: Iterator<Item>): Generator<Item> {
  for (;;) {
    const { done, value } = withName(name, () => items.next());
    if (done === true) return;
    yield value;
  }
}

/** Where a body has its rows, and how to read them. */
interface RowList<Item> {
  readonly items: readonly Item[];
  readonly readItem: (item: Item) => ItemReading;
  /** Converts the value of an item to a row. */
  readonly convert?: (value: unknown, item: Item) => RowCandidate;
  /** The label of an item whose value is unknown. */
  readonly labelOf?: (item: Item) => string;
}

interface SplitBody extends Omit<ParsedBody, 'readRows' | 'readAttached'> {
  readonly readRows: (firstPlace: number) => Iterator<RowReading>;
  readonly readAttached: () => Iterator<Attached>;
}

function splitBody(parsed: ParsedValue): SplitBody {
  const { value, readItem } = parsed;
  const bodyOf = <Item>(
    format: BodyFormat,
    rows: RowList<Item>,
    others: Partial<SplitBody> = {},
  ): SplitBody => {
    if (rows.items.length > MAX_ROWS) throw tooManyRows();
    return {
      format,
      rowCount: rows.items.length,
      readRows: (firstPlace) => readRows(parsed, rows, firstPlace),
      readAttached: () => [].values(),
      nextCursor: undefined,
      ...others,
    };
  };
  const array = serverArray.safeParse(value);
  if (array.success) return bodyOf('server-array', { items: array.data, readItem });
  const list = registryList.safeParse(value);
  if (list.success) {
    const { servers, metadata } = list.data;
    const nextCursor = metadata?.nextCursor || metadata?.next_cursor || undefined;
    return bodyOf('registry-list', { items: servers ?? [], readItem }, { nextCursor });
  }
  const upstream = upstreamRegistry.safeParse(value);
  if (upstream.success) {
    const { servers, ...attached } = upstream.data.data;
    return bodyOf(
      'upstream-registry',
      { items: servers ?? [], readItem },
      { readAttached: () => readAttached(parsed, attached) },
    );
  }
  const entries = legacyEntries(value, readItem);
  if (entries !== undefined) return bodyOf('toolhive-legacy', legacyRows(entries, readItem));
  if (singleServer.safeParse(value).success) {
    return bodyOf('single-server', {
      items: [value],
      readItem: parsed.readWhole,
      labelOf: (item) => rowLabel(item, 1),
    });
  }
  // Invalid JSON is the better reason.
  parsed.finish();
  throw new SynclineError(
    'source-not-a-registry',
    `the source returned ${describeValue(value)}, which is not a registry`,
    {
      expected:
        'an object with a list `servers` or `data.servers`, an array of servers, or a server',
    },
  );
}

function legacyRows(
  items: readonly LegacyEntry[],
  readItem: ParsedValue['readItem'],
): RowList<LegacyEntry> {
  return {
    items,
    readItem: ({ item }) => readItem(item),
    convert: (value, entry) => convertLegacyEntry(entry, value),
    labelOf: ({ label }) => label,
  };
}

function* readRows<Item>(
  { isSuspect, finish }: ParsedValue,
  { items, readItem, convert, labelOf }: RowList<Item>,
  firstPlace: number,
): Generator<RowReading> {
  let place = firstPlace;
  for (const item of items) {
    const reading = readItem(item);
    if ('flaw' in reading) {
      const label = labelOf?.(item) ?? `row ${place}`;
      yield { ok: false, label, reason: `the row ${reading.flaw}` };
    } else {
      const candidate = convert?.(reading.value, item) ?? { row: reading.value };
      yield 'reason' in candidate
        ? { ok: false, ...candidate }
        : readCandidate(candidate.row, { place, isSuspect });
    }
    place += 1;
  }
  finish();
}

/** Reads skills and plugins. Syncline copies both without knowing their members. */
function* readAttached(
  { isSuspect, readItem, finish }: ParsedValue,
  lists: { readonly [Kind in Attached['kind']]?: readonly unknown[] | null | undefined },
): Generator<Attached> {
  for (const kind of ['skills', 'plugins'] as const) {
    for (const item of lists[kind] ?? []) {
      const reading = readItem(item);
      const flaw = 'flaw' in reading ? reading.flaw : isSuspect && findFlaw(reading.value);
      if ('value' in reading && !flaw) {
        yield { kind, json: JSON.stringify(reading.value) };
        continue;
      }
      finish();
      throw new SynclineError(
        'source-not-a-registry',
        `the source has an invalid item in ${kind}: the item ${flaw}`,
      );
    }
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
