import { isUtf8 } from 'node:buffer';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { ConfigError, type ConfigProblem, type ConfigWarning } from './problem.ts';

/** The largest config file that is read. */
export const CONFIG_MAX_BYTES = 5_000_000;
const READ_BYTES = 65_536;
/** How many nodes the aliases of one file may stand for, as the yaml library counts them. */
const MAX_ALIAS_COUNT = 100;
/** Syntax errors beyond these are mostly echoes of the first. */
const SYNTAX_PROBLEM_LIMIT = 5;

/** A config file, parsed but not yet checked against the schema. */
export interface ConfigDocument {
  readonly file: string;
  readonly document: Document.Parsed;
  readonly lineCounter: LineCounter;
  /** The plain data that the document stands for. */
  readonly data: unknown;
  /** Keys that were given more than once: the file can still be checked for more problems. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * The text of the config file.
 *
 * @throws ConfigError `config-unreadable` where it is missing, no file, too large, or may not be read;
 *   `config-invalid` where it is not in UTF-8
 */
export async function readConfigText(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const stats = await handle.stat();
    if (stats.isDirectory()) throw unreadable(file, { expected: 'a file', found: 'a directory' });
    if (stats.size > CONFIG_MAX_BYTES) throw tooLarge(file, `${stats.size} bytes`);
    const bytes = await readAtMost(handle, CONFIG_MAX_BYTES + 1);
    if (bytes.length > CONFIG_MAX_BYTES) throw tooLarge(file, 'more');
    return decode(file, bytes);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const found = describeSystemError(error);
    throw unreadable(file, { expected: 'a file that can be read', found, cause: error });
  }
}

/** Pipes and devices do not say how much there is. */
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
  // Decoding puts something else in the place of what is no UTF-8.
  const decoded = Buffer.from(text);
  let wrongAt = bytes.findIndex((byte, index) => byte === 0 || byte !== decoded[index]);
  if (wrongAt === -1) wrongAt = bytes.length;
  const before = bytes.subarray(0, wrongAt).toString('utf8').split('\n');
  const place = { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, path: '' };
  throw new ConfigError('config-invalid', [wrong(place, 'other bytes', 'text in UTF-8')]);
}

/**
 * Parses YAML, and JSON with it.
 *
 * @throws ConfigError `config-invalid` with every syntax error
 */
export function parseConfigText(file: string, text: string): ConfigDocument {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    merge: true,
    // Else the library writes to standard error by itself.
    logLevel: 'error',
  });
  const faults = [...document.errors, ...document.warnings].sort(
    (one, other) => one.pos[0] - other.pos[0],
  );
  const problems = faults.map((fault) => syntaxProblem({ file, text, lineCounter }, fault));
  if (faults.some(({ code }) => code !== 'DUPLICATE_KEY')) {
    // Depth is found out from the inside, again and again: the outermost place says it all.
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
      message: `duplicate key ${key}`,
      found: `${key} once more`,
      expected: 'each key once',
    };
  }
  if (fault.code === 'MULTIPLE_DOCS') {
    return wrong(place, 'a second document', 'one document');
  }
  if (fault.code === 'RESOURCE_EXHAUSTION') {
    return wrong(place, 'too many', 'fewer blocks within blocks');
  }
  return { ...place, message: fault.message, found: fault.message, expected: syntaxName(place) };
}

function aliasProblem(file: string, error: unknown): ConfigProblem {
  const place = { file, line: 1, column: 1, path: '' };
  const message = error instanceof Error ? error.message : String(error);
  return message.startsWith('Excessive alias count')
    ? wrong(place, 'aliases that stand for too much', `at most ${MAX_ALIAS_COUNT} aliased nodes`)
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
  return { ...place, message: `expected ${expected}, found ${found}`, found, expected };
}

function tooLarge(file: string, found: string): ConfigError {
  return unreadable(file, { expected: `at most ${CONFIG_MAX_BYTES} bytes`, found });
}

function unreadable(
  file: string,
  fault: { readonly found: string; readonly expected: string; readonly cause?: unknown },
): ConfigError {
  const { found, expected, cause } = fault;
  const message = `cannot use the config file ${resolve(file)}: expected ${expected}, found ${found}`;
  return new ConfigError(
    'config-unreadable',
    [{ file, line: 1, column: 1, path: '', message, found, expected }],
    { cause },
  );
}

function describeSystemError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'nothing there';
  if (code === 'EACCES' || code === 'EPERM') return 'one without permission to read it';
  return error instanceof Error ? error.message : String(error);
}

/** A file that was written more recently than this may still be being written. */
const SETTLE_MS = 250;
/** A file that never comes to rest is read all the same. */
const MOST_LOOKS = 40;

/**
 * The text of the config file, once nobody has written it for a moment: half a file may be a config too,
 * one with fewer registries.
 *
 * @throws ConfigError as {@link readConfigText}
 */
export async function readSettledText(file: string): Promise<string> {
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    const writtenAtMs = await lastWrittenMs(file);
    const ageMs = Date.now() - writtenAtMs;
    // A clock of another machine may be ahead of ours.
    if (ageMs >= 0 && ageMs < SETTLE_MS) {
      await delay(SETTLE_MS - ageMs);
      continue;
    }
    const text = await readConfigText(file);
    if ((await lastWrittenMs(file)) === writtenAtMs) return text;
  }
  return readConfigText(file);
}

/** Epoch milliseconds; 0 where there is nothing. */
async function lastWrittenMs(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

export type ConfigPath = readonly PropertyKey[];

/** A config in our own form, whatever form the file has it in. */
export interface ConfigForm {
  /** In our form, not yet checked against the schema. */
  readonly data: unknown;
  /** Where in the file that stands which is at `path` in `data`. */
  readonly placeOf: (path: ConfigPath) => ConfigPath;
  /** A message about `data`, with the names that things have in the file. */
  readonly wordsOf: (message: string) => string;
  /** What is wrong with the file itself. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
}

/** A file that is in our own form. */
export function ownForm({ data }: ConfigDocument): ConfigForm {
  return {
    data,
    placeOf: (path) => path,
    wordsOf: (message) => message,
    problems: [],
    warnings: [],
  };
}
