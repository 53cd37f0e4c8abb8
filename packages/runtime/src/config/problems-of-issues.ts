import type { ConfigForm } from './form.ts';
import { type Issue, valueAt } from './issues.ts';
import {
  configJsonSchema,
  isDuration,
  type JsonSchema,
  propertiesOf,
  schemaAt,
} from './json-schema.ts';
import { locate } from './locate.ts';
import { type ConfigProblem, formatPath } from './problem.ts';
import type { ConfigDocument } from './read-document.ts';
import { suggestKey } from './suggest.ts';

/** What is wrong by the schema, as problems with a place in the file. */
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
    message: suggestion === undefined ? `unknown key; expected ${expected}` : 'unknown key',
    found: key,
    expected,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function wrongValue({ source, form, schema }: Checked, issue: Issue): ConfigProblem {
  const path = form.placeOf(issue.path);
  const value = valueAt(form.data, issue.path);
  const found = mayHoldCredential(issue.path) ? kindOf(value) : describe(value);
  const expected = form.wordsOf(describeExpected(issue, schemaAt(schema, issue.path)));
  // Messages that name what was found, or that tell of two places, are whole as they are.
  const isWhole = /, (?:found|but) /.test(expected);
  return {
    file: source.file,
    ...locate(source, path),
    path: formatPath(path),
    message: `expected ${expected}${isWhole ? '' : `, found ${found}`}`,
    found,
    expected,
  };
}

function describeExpected(issue: Issue, schema: JsonSchema | undefined): string {
  switch (issue.code) {
    case 'invalid_type':
      if (schema !== undefined && isDuration(schema)) return 'a duration such as 30s, 1h30m or 7d';
      return TYPE_NAMES[issue.expected] ?? issue.expected;
    case 'too_small':
      return ownWords(issue) ?? sized(issue.origin, 'at least', issue.minimum);
    case 'too_big':
      return ownWords(issue) ?? sized(issue.origin, 'at most', issue.maximum);
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_key':
      return issue.issues.map((inner) => ownWords(inner) ?? inner.message).join(', ');
    default:
      return ownWords(issue) ?? issue.message;
  }
}

/** The schema's own message, where it has one: those begin with what was expected. */
function ownWords({ message }: { readonly message: string }): string | undefined {
  return message.startsWith('expected ') ? message.slice('expected '.length) : undefined;
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

/** Where people put credentials, also when the schema wants a file there. Messages reach logs. */
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
  // Messages reach logs: a URL may have a password in it, or a token in its query.
  const text = value
    .replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/)?.*@/is, '$1…@')
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^?#]*[?#]).*/is, '$1…');
  const isLong = text.length > FOUND_MAX_LENGTH;
  return JSON.stringify(isLong ? `${text.slice(0, FOUND_MAX_LENGTH)}…` : text);
}
