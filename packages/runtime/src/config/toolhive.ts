import { isRecord } from './issues.ts';
import { nearest } from './json-schema.ts';
import { type ConfigProblem, type ConfigWarning, formatPath, locate } from './problem.ts';
import type { ConfigDocument, ConfigForm, ConfigPath } from './read-document.ts';

/** Keys of a ToolHive config that have no effect in Syncline, each with the reason. */
const IGNORED_KEYS: Readonly<Record<string, string>> = {
  audit: 'has no effect: Syncline has no audit log',
  auth: 'has no effect: reading needs no login, and control needs the admin token',
  claims: 'has no effect: everyone who can reach the api can read everything',
  database: 'has no effect: Syncline stores everything in Redis',
  format: 'has no effect: Syncline detects the format of a registry',
  registryName: 'has no effect: each catalog has its name under registries',
  telemetry: 'has no effect: Syncline serves its metrics at /metrics',
};

const IGNORED_AT_THE_TOP = ['database', 'auth', 'telemetry', 'audit', 'registryName'];
/** `network` is a key of Syncline, not of ToolHive. It allows private addresses. */
const TOP_KEYS = ['sources', 'registries', ...IGNORED_AT_THE_TOP, 'network'];
/** `filter` is a key of Syncline, not of ToolHive. */
const REGISTRY_KEYS = ['name', 'sources', 'claims', 'filter'];
const IGNORED_IN_A_SOURCE = ['claims', 'format'];

/**
 * The kinds of source. ToolHive itself fills sources of the last two kinds, so other programs cannot read these
 * sources.
 */
const SOURCE_KINDS = ['git', 'api', 'file', 'managed', 'kubernetes'];
const UNREADABLE_KINDS = ['managed', 'kubernetes'];

/** Collects warnings and problems during the translation of a file. */
class Remarks {
  readonly problems: ConfigProblem[] = [];
  readonly #source: ConfigDocument;
  readonly #warnings: ConfigWarning[] = [];
  /** The places of each key that has no effect, in the order of the file. */
  readonly #ignored = new Map<string, ConfigPath[]>();

  constructor(source: ConfigDocument) {
    this.#source = source;
  }

  /** Returns the warnings. A key that has no effect gets one warning, even if it occurs several times. */
  get warnings(): ConfigWarning[] {
    const ignored = [...this.#ignored].map(([key, [first = [], ...more]]) => {
      const others = more.length === 0 ? '' : `; also in ${more.map(formatPath).join(', ')}`;
      return this.#at(first, `${IGNORED_KEYS[key]}${others}`);
    });
    return [...this.#warnings, ...ignored];
  }

  warn(path: ConfigPath, message: string): void {
    this.#warnings.push(this.#at(path, message));
  }

  /** Records which of the given keys the block at `path` has. */
  ignore(path: ConfigPath, block: object, keys: readonly string[]): void {
    for (const key of keys) {
      if (!Object.hasOwn(block, key)) continue;
      this.#ignored.set(key, [...(this.#ignored.get(key) ?? []), [...path, key]]);
    }
  }

  refuse(path: ConfigPath, { expected, found }: { expected: string; found: string }): void {
    const message = `found ${found}. Use ${expected}`;
    this.problems.push({ ...this.#at(path, message), expected, found });
  }

  refuseUnknown(path: ConfigPath, block: object, known: readonly string[]): void {
    for (const key of Object.keys(block)) {
      if (known.includes(key)) continue;
      const expected = `one of ${known.join(', ')}`;
      const suggestion = nearest(key, known);
      const told = { expected, found: key };
      this.problems.push(
        suggestion === undefined
          ? { ...this.#at([...path, key], `unknown key. Use ${expected}`), ...told }
          : { ...this.#at([...path, key], 'unknown key'), ...told, suggestion },
      );
    }
  }

  #at(path: ConfigPath, message: string): ConfigWarning {
    const { file } = this.#source;
    const place = locate(this.#source, path, { at: 'key' });
    return { file, ...place, path: formatPath(path), message };
  }
}

/** Returns whether the data is a config of ToolHive's registry server. Only a config of ToolHive has `sources`. */
export function isToolHiveConfig(data: unknown): data is Readonly<Record<string, unknown>> {
  return isRecord(data) && 'sources' in data;
}

/** A translated list of the config. */
interface Translated {
  /** The list in Syncline's form, or the invalid value if the file has no list there. */
  readonly list: unknown;
  /** The index in the file for each item of the list. */
  readonly origins: readonly number[];
}

/**
 * Translates a ToolHive config into Syncline's form: sources become registries, and registries become catalogs. Adds a
 * warning for each setting that has no effect. Keeps unknown keys, or reports them as problems.
 */
export function translateToolHive(source: ConfigDocument): ConfigForm {
  const remarks = new Remarks(source);
  const file = isRecord(source.data) ? source.data : {};
  remarks.ignore([], file, IGNORED_AT_THE_TOP);
  remarks.refuseUnknown([], file, TOP_KEYS);

  const leftOut = new Set<unknown>();
  const registries = translateSources(file['sources'], remarks, leftOut);
  const catalogs = translateRegistries(file['registries'], remarks, leftOut);
  return {
    data: {
      registries: registries.list,
      ...(file['registries'] === undefined ? {} : { catalogs: catalogs.list }),
      ...(file['network'] === undefined ? {} : { network: file['network'] }),
    },
    placeOf: (path) => placeOf(path, { registries, catalogs }),
    wordsOf: (message) => wordsOf(message, { registries, catalogs }),
    problems: remarks.problems,
    warnings: remarks.warnings,
  };
}

function translateSources(list: unknown, remarks: Remarks, leftOut: Set<unknown>): Translated {
  if (!Array.isArray(list)) return { list, origins: [] };
  const translated: unknown[] = [];
  const origins: number[] = [];
  for (const [index, entry] of list.entries()) {
    const path = ['sources', index];
    if (isRecord(entry)) {
      remarks.ignore(path, entry, IGNORED_IN_A_SOURCE);
      if (isUnreadable(entry, path, remarks)) {
        leftOut.add(entry['name']);
        continue;
      }
    }
    translated.push(isRecord(entry) ? without(entry, IGNORED_IN_A_SOURCE) : entry);
    origins.push(index);
  }
  return { list: translated, origins };
}

/** Returns whether a source is one that ToolHive fills itself. Adds a warning for such a source, which is skipped. */
function isUnreadable(
  entry: Readonly<Record<string, unknown>>,
  path: ConfigPath,
  remarks: Remarks,
): boolean {
  const kind = UNREADABLE_KINDS.find((it) => it in entry);
  if (kind === undefined) return false;
  const kinds = SOURCE_KINDS.filter((it) => it in entry);
  if (kinds.length > 1) {
    const expected = `exactly one of ${SOURCE_KINDS.join(', ')}`;
    remarks.refuse(path, { expected, found: kinds.join(' and ') });
  } else {
    const message = 'skipped, because only ToolHive can fill a source of this kind';
    remarks.warn([...path, kind], message);
  }
  return true;
}

function translateRegistries(list: unknown, remarks: Remarks, leftOut: Set<unknown>): Translated {
  if (!Array.isArray(list)) return { list, origins: [] };
  const translated: unknown[] = [];
  const origins: number[] = [];
  for (const [index, entry] of list.entries()) {
    const path = ['registries', index];
    if (!isRecord(entry)) {
      translated.push(entry);
      origins.push(index);
      continue;
    }
    remarks.ignore(path, entry, ['claims']);
    remarks.refuseUnknown(path, entry, REGISTRY_KEYS);
    const { name, sources, filter } = entry;
    const isEmptied =
      Array.isArray(sources) && sources.length > 0 && sources.every((it) => leftOut.has(it));
    if (isEmptied) {
      remarks.warn(path, 'skipped, because all of its sources are skipped');
      continue;
    }
    // Removes the skipped sources, because they would be unknown registries.
    const kept = Array.isArray(sources) ? sources.filter((it) => !leftOut.has(it)) : sources;
    translated.push({ name, registries: kept, ...(filter === undefined ? {} : { filter }) });
    origins.push(index);
  }
  return { list: translated, origins };
}

interface Lists {
  readonly registries: Translated;
  readonly catalogs: Translated;
}

function placeOf(path: ConfigPath, { registries, catalogs }: Lists): ConfigPath {
  const [list, index, key, ...rest] = path;
  const inner = key === undefined ? [] : [key, ...rest];
  if (list === 'registries') return ['sources', ...itemOf(registries, index), ...inner];
  if (list !== 'catalogs') return path;
  const place = ['registries', ...itemOf(catalogs, index)];
  return key === 'registries' ? [...place, 'sources', ...rest] : [...place, ...inner];
}

function itemOf({ origins }: Translated, index: PropertyKey | undefined): PropertyKey[] {
  if (index === undefined) return [];
  return [typeof index === 'number' ? (origins[index] ?? index) : index];
}

/** Returns a message with ToolHive's words: a registry in Syncline is a source in ToolHive. */
function wordsOf(message: string, { registries, catalogs }: Lists): string {
  return message
    .replace(/\b(registries|catalogs)\[(\d+)\]/g, (_all, list: string, index: string) =>
      list === 'registries'
        ? `sources[${registries.origins[Number(index)] ?? index}]`
        : `registries[${catalogs.origins[Number(index)] ?? index}]`,
    )
    .replace('there is no registry', 'there is no source')
    .replace('the registries of the catalog', 'the sources of the registry')
    .replace('at least one registry', 'at least one source that Syncline can read')
    .replace('each registry once', 'each source once');
}

function without(
  entry: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !keys.includes(key)));
}
