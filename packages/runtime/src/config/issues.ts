import { type ConfigCheck, type ConfigIssue, configSchema } from '@syncline/contract';
import type { z } from 'zod';
import {
  configJsonSchema,
  isDuration,
  type JsonSchema,
  propertiesOf,
  schemaAt,
  suggestKey,
} from './json-schema.ts';
import { type ConfigProblem, formatPath, locate } from './problem.ts';
import type { ConfigDocument, ConfigForm } from './read-document.ts';

export type Issue = z.core.$ZodIssue;

/**
 * Returns all issues of the schema and of the additional checks. If a value has a wrong type, the schema skips the
 * checks that involve several values. So this function also checks the data without such values and without unknown
 * keys.
 */
export function allIssues(data: unknown, checks: readonly ConfigCheck[]): Issue[] {
  return [...schemaIssues(data), ...schedulesBeside(data), ...checkIssues(data, checks)];
}

function schemaIssues(data: unknown): Issue[] {
  const issues = check(data);
  if (issues.length === 0) return [];
  const misspelt = misspeltPlaces(data, issues);
  const { rest, stripped } = stripWrongValues(data, issues.filter(endsCheck));
  const seen = new Set(issues.map((issue) => `${placeOf(issue)} ${issue.message}`));
  const further = check(rest).filter(
    (issue) => !seen.has(`${placeOf(issue)} ${issue.message}`) && !stripped.has(placeOf(issue)),
  );
  return [...issues, ...further].filter(
    (issue) => issue.code === 'unrecognized_keys' || !misspelt.has(placeOf(issue)),
  );
}

/** Returns the value at `path` in plain data. */
function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const segment of path) {
    if (!isObject(value)) return undefined;
    value = Reflect.get(value, segment);
  }
  return value;
}

/**
 * Finds registries with both a schedule and an interval: a schedule replaces the interval. The schema cannot distinguish
 * a given interval from the default.
 */
function schedulesBeside(data: unknown): Issue[] {
  const registries = valueAt(data, ['registries']);
  if (!Array.isArray(registries)) return [];
  return registries.flatMap((registry: unknown, index) => {
    const isBoth =
      valueAt(registry, ['schedule']) !== undefined &&
      valueAt(registry, ['syncPolicy', 'interval']) !== undefined;
    const message = 'schedule and syncPolicy.interval are both set. Remove one of them';
    return isBoth ? [asIssue({ path: ['registries', index, 'schedule'], message })] : [];
  });
}

function checkIssues(data: unknown, checks: readonly ConfigCheck[]): Issue[] {
  if (checks.length === 0) return [];
  const issues = check(data);
  const parsed = configSchema.safeParse(
    issues.length === 0 ? data : stripWrongValues(data, issues).rest,
  );
  if (!parsed.success) return [];
  return checks.flatMap((find) => find(parsed.data)).map(asIssue);
}

function asIssue({ path, message }: ConfigIssue): Issue {
  return { code: 'custom', path: [...path], message, input: undefined };
}

function check(data: unknown): Issue[] {
  return configSchema.safeParse(data).error?.issues ?? [];
}

function placeOf({ path }: Issue): string {
  return formatPath(path);
}

/** Returns the places that seem incomplete only because a key is misspelt. */
function misspeltPlaces(data: unknown, issues: readonly Issue[]): ReadonlySet<string> {
  const schema = configJsonSchema();
  const places = new Set<string>();
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    for (const key of issue.keys) {
      const suggestion = suggestKey(schema, issue.path, key);
      if (suggestion === undefined) continue;
      places.add(placeOf(issue));
      const meant = [...issue.path, suggestion];
      if (valueAt(data, meant) === undefined) places.add(formatPath(meant));
    }
  }
  return places;
}

/** Returns the data without invalid values. `stripped` has the places that are incomplete as a result. */
function stripWrongValues(data: unknown, issues: readonly Issue[]) {
  const rest: unknown = structuredClone(data);
  const stripped = new Set<string>();
  for (const issue of issues) {
    const { path } = issue;
    if (issue.code === 'unrecognized_keys') {
      const block = valueAt(rest, path);
      for (const key of issue.keys) if (isObject(block)) Reflect.deleteProperty(block, key);
      continue;
    }
    const key = path.at(-1);
    const parent = valueAt(rest, path.slice(0, -1));
    // Does not remove items of a list, because that would shift the positions of the other items.
    if (typeof key !== 'string' || !isObject(parent)) continue;
    Reflect.deleteProperty(parent, key);
    stripped.add(formatPath(path)).add(formatPath(path.slice(0, -1)));
  }
  return { rest, stripped };
}

/**
 * Returns whether an issue ends the check of its value. Wrong texts and lists are checked further, except durations,
 * which the check parses.
 */
function endsCheck({ code, message }: Issue): boolean {
  if (code === 'custom') return message.startsWith('use a duration');
  return code !== 'invalid_format' && code !== 'too_small' && code !== 'too_big';
}

/** Returns whether a value is a map. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && !Array.isArray(value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Returns the issues as problems with their places in the file. */
export function problemsOfIssues(
  file: { readonly source: ConfigDocument; readonly form: ConfigForm },
  issues: readonly Issue[],
): ConfigProblem[] {
  const checked = { ...file, schema: configJsonSchema() };
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownKey(checked, issue.path, key))
      : [wrongValue(checked, issue)],
  );
}

interface Checked {
  readonly source: ConfigDocument;
  readonly form: ConfigForm;
  readonly schema: JsonSchema;
}

function unknownKey(
  { source, form, schema }: Checked,
  parent: readonly PropertyKey[],
  key: string,
): ConfigProblem {
  const path = form.placeOf([...parent, key]);
  const suggestion = suggestKey(schema, parent, key);
  const expected = `one of ${[...propertiesOf(schemaAt(schema, parent)).keys()].join(', ')}`;
  return {
    file: source.file,
    ...locate(source, path, { at: 'key' }),
    path: formatPath(path),
    message: suggestion === undefined ? `unknown key. Use ${expected}` : 'unknown key',
    found: key,
    expected,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function wrongValue({ source, form, schema }: Checked, issue: Issue): ConfigProblem {
  const path = form.placeOf(issue.path);
  const value = valueAt(form.data, issue.path);
  const found = mayHoldCredential(issue.path) ? kindOf(value) : describe(value);
  const advice = form.wordsOf(adviceOn(issue, schemaAt(schema, issue.path)));
  return {
    file: source.file,
    ...locate(source, path),
    path: formatPath(path),
    // Advice of two sentences says what is wrong too.
    message: advice.includes('. ') ? advice : `found ${found}. ${capitalized(advice)}`,
    found,
    expected: advice.replace(/^.*\. /s, '').replace(/^use /i, ''),
  };
}

/** Returns what to do, such as `use a map`. Messages of our schema say so themselves. */
function adviceOn(issue: Issue, schema: JsonSchema | undefined): string {
  if (!GENERIC_MESSAGE.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      if (schema !== undefined && isDuration(schema))
        return 'use a duration such as 30s, 1h30m or 7d';
      return `use ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return `use ${sized(issue.origin, 'at least', issue.minimum)}`;
    case 'too_big':
      return `use ${sized(issue.origin, 'at most', issue.maximum)}`;
    case 'invalid_value':
      return `use one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_key':
      return issue.issues.map(({ message }) => message).join(', ');
    default:
      return issue.message;
  }
}

/** How zod's messages begin, if a schema has no message of its own. */
const GENERIC_MESSAGE = /^(Invalid|Too (big|small)|Unrecognized)/;

function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function sized(origin: string, comparison: string, limit: number | bigint): string {
  if (origin === 'string') {
    return comparison === 'at least' && limit === 1
      ? 'text that is not empty'
      : `text of ${comparison} ${limit} characters`;
  }
  if (origin === 'array') return `a list of ${comparison} ${limit} items`;
  return `a number of ${comparison} ${limit}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a map',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

const FOUND_MAX_LENGTH = 60;

/**
 * Returns whether a place may contain a credential. People put credentials here even if the schema expects a path, and
 * messages get into logs.
 */
function mayHoldCredential(path: readonly PropertyKey[]): boolean {
  return path.includes('auth') || path.includes('headers');
}

function kindOf(value: unknown): string {
  if (typeof value === 'string') return 'some text';
  return typeof value === 'object' || value === undefined ? describe(value) : `a ${typeof value}`;
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value))
    return value.length === 1 ? 'a list of 1 item' : `a list of ${value.length} items`;
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return `the ${typeof value} ${String(value)}`;
  // Messages get into logs, and a URL may contain a password, or a token in its query.
  const text = value
    .replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/)?.*@/is, '$1…@')
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^?#]*[?#]).*/is, '$1…');
  const isLong = text.length > FOUND_MAX_LENGTH;
  return JSON.stringify(isLong ? `${text.slice(0, FOUND_MAX_LENGTH)}…` : text);
}
