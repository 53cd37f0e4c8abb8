import { isUtf8 } from 'node:buffer';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { ConfigError, type ConfigProblem, type ConfigWarning } from './problem.ts';

/** The maximum size of a config file. */
export const CONFIG_MAX_BYTES = 5_000_000;
const READ_BYTES = 65_536;
/** The maximum number of nodes to which the aliases of a file may expand, as the yaml library counts nodes. */
const MAX_ALIAS_COUNT = 100;
/** The maximum number of syntax errors to report. Later errors are usually consequences of the first errors. */
const SYNTAX_PROBLEM_LIMIT = 5;

/** A config file, parsed but not yet checked against the schema. */
export interface ConfigDocument {
  readonly file: string;
  readonly document: Document.Parsed;
  readonly lineCounter: LineCounter;
  /** The plain data of the document. */
  readonly data: unknown;
  /** The duplicate keys of the file. Despite these problems, the file can be checked further. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * Reads the text of the config file.
 *
 * @throws ConfigError `config-unreadable` if the path is missing, not a file, too large, or not readable;
 *   `config-invalid` if the file is not UTF-8
 */
export async function readConfigText(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const stats = await handle.stat();
    if (stats.isDirectory()) throw unreadable(file, { expected: 'a file', found: 'a directory' });
    if (stats.size > CONFIG_MAX_BYTES) throw tooLarge(file, `${stats.size} bytes`);
    const bytes = await readAtMost(handle, CONFIG_MAX_BYTES + 1);
    if (bytes.length > CONFIG_MAX_BYTES)
      throw tooLarge(file, `more than ${CONFIG_MAX_BYTES} bytes`);
    return decode(file, bytes);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const found = describeSystemError(error);
    throw unreadable(file, {
      expected: 'a readable file, and set its path with --config or SYNCLINE_CONFIG',
      found,
      cause: error,
    });
  }
}

/** Reads at most `maxBytes`, because pipes and devices do not report their size. */
async function readAtMost(handle: FileHandle, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  while (size < maxBytes) {
    const length = Math.min(maxBytes - size, READ_BYTES);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, null);
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
  return Buffer.concat(chunks);
}

function decode(file: string, bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const isText = isUtf8(bytes) && !text.includes('\0');
  if (isText) return text.replace(/^\uFEFF/, '');
  // Decoding replaces invalid UTF-8 with another character, so the first difference is the invalid byte.
  const decoded = Buffer.from(text);
  let wrongAt = bytes.findIndex((byte, index) => byte === 0 || byte !== decoded[index]);
  if (wrongAt === -1) wrongAt = bytes.length;
  const before = bytes.subarray(0, wrongAt).toString('utf8').split('\n');
  const place = { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, path: '' };
  throw new ConfigError('config-invalid', [wrong(place, 'other bytes', 'text in UTF-8')]);
}

/**
 * Parses YAML. JSON is a subset of YAML.
 *
 * @throws ConfigError `config-invalid` with every syntax error
 */
export function parseConfigText(file: string, text: string): ConfigDocument {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    merge: true,
    // With other levels, the library itself writes to standard error.
    logLevel: 'error',
  });
  const faults = [...document.errors, ...document.warnings].sort(
    (one, other) => one.pos[0] - other.pos[0],
  );
  const problems = faults.map((fault) => syntaxProblem({ file, text, lineCounter }, fault));
  if (faults.some(({ code }) => code !== 'DUPLICATE_KEY')) {
    // If the nesting is too deep, the library reports an error at each level, innermost first. One place is enough.
    const isTooDeep = faults.some(({ code }) => code === 'RESOURCE_EXHAUSTION');
    throw new ConfigError(
      'config-invalid',
      problems.slice(0, isTooDeep ? 1 : SYNTAX_PROBLEM_LIMIT),
    );
  }
  try {
    const data: unknown = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT });
    return { file, document, lineCounter, data, problems };
  } catch (error) {
    throw new ConfigError('config-invalid', [...problems, aliasProblem(file, error)], {
      cause: error,
    });
  }
}

function syntaxProblem(
  source: { file: string; text: string; lineCounter: LineCounter },
  fault: YAMLError,
): ConfigProblem {
  const { line, col } = source.lineCounter.linePos(fault.pos[0]);
  const place = { file: source.file, line, column: col, path: '' };
  if (fault.code === 'DUPLICATE_KEY') {
    const key = /^(["']?)([^"':\n]*)\1/.exec(source.text.slice(fault.pos[0]))?.[2] ?? '';
    return {
      ...place,
      message: `the key ${key} appears twice. Remove one of them`,
      found: `${key} once more`,
      expected: 'each key only once',
    };
  }
  if (fault.code === 'MULTIPLE_DOCS') {
    return wrong(place, 'a second document', 'one document');
  }
  if (fault.code === 'RESOURCE_EXHAUSTION') {
    return wrong(place, 'too many levels of blocks', 'fewer levels');
  }
  return { ...place, message: fault.message, found: fault.message, expected: syntaxName(place) };
}

function aliasProblem(file: string, error: unknown): ConfigProblem {
  const place = { file, line: 1, column: 1, path: '' };
  const message = error instanceof Error ? error.message : String(error);
  return message.startsWith('Excessive alias count')
    ? wrong(
        place,
        'aliases that expand to too many nodes',
        `at most ${MAX_ALIAS_COUNT} aliased nodes`,
      )
    : { ...place, message, found: message, expected: syntaxName(place) };
}

function syntaxName({ file }: { file: string }): string {
  return file.endsWith('.json') ? 'valid JSON' : 'valid YAML';
}

function wrong(
  place: Pick<ConfigProblem, 'file' | 'line' | 'column' | 'path'>,
  found: string,
  expected: string,
): ConfigProblem {
  return { ...place, message: `found ${found}. Use ${expected}`, found, expected };
}

function tooLarge(file: string, found: string): ConfigError {
  return unreadable(file, { expected: `a file of at most ${CONFIG_MAX_BYTES} bytes`, found });
}

function unreadable(
  file: string,
  fault: { readonly found: string; readonly expected: string; readonly cause?: unknown },
): ConfigError {
  const { found, expected, cause } = fault;
  const message = `cannot use the config file ${resolve(file)}: found ${found}. Use ${expected}`;
  return new ConfigError(
    'config-unreadable',
    [{ file, line: 1, column: 1, path: '', message, found, expected }],
    { cause },
  );
}

function describeSystemError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no file';
  if (code === 'EACCES' || code === 'EPERM') return 'a file without read permission';
  return error instanceof Error ? error.message : String(error);
}

/** If a file was written more recently than this, it may be incomplete. */
const SETTLE_MS = 250;
/** If a file changes all the time, it is read after this many checks. */
const MOST_LOOKS = 40;

/**
 * Waits until the file has not changed for a moment, and then reads its text. The first half of a file may also be a
 * valid config, with fewer registries.
 *
 * @throws ConfigError as {@link readConfigText}
 */
export async function readSettledText(file: string): Promise<string> {
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    const writtenAtMs = await lastWrittenMs(file);
    const ageMs = Date.now() - writtenAtMs;
    // The clock of a file server may be ahead, so the age may be negative.
    if (ageMs >= 0 && ageMs < SETTLE_MS) {
      await delay(SETTLE_MS - ageMs);
      continue;
    }
    const text = await readConfigText(file);
    if ((await lastWrittenMs(file)) === writtenAtMs) return text;
  }
  return readConfigText(file);
}

/** Returns when the file was last written, in epoch milliseconds, or 0 if there is no file. */
async function lastWrittenMs(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

export type ConfigPath = readonly PropertyKey[];

/** A config in Syncline's own form, whatever form the file has. */
export interface ConfigForm {
  /** The config in Syncline's form, not yet checked against the schema. */
  readonly data: unknown;
  /** Returns the path in the file for a path in `data`. */
  readonly placeOf: (path: ConfigPath) => ConfigPath;
  /** Translates a message about `data` to the names that the file uses. */
  readonly wordsOf: (message: string) => string;
  /** The problems that the translation found in the file. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
}

/** Returns the form of a file that is already in Syncline's own form. */
export function ownForm({ data }: ConfigDocument): ConfigForm {
  return {
    data,
    placeOf: (path) => path,
    wordsOf: (message) => message,
    problems: [],
    warnings: [],
  };
}
