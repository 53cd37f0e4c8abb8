import { type ConfigCheck, type ConfigIssue, configSchema } from '@syncline/contract';
import type { z } from 'zod';
import { configJsonSchema } from './json-schema.ts';
import { formatPath } from './problem.ts';
import { suggestKey } from './suggest.ts';

export type Issue = z.core.$ZodIssue;

/**
 * Everything that the schema and the further checks have against `data`. A value of a wrong type keeps
 * them from checking what several values say together, so what is left without such values, and without
 * keys that are unknown, is checked once more.
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

/** What stands at `path` in plain data. */
export function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const segment of path) {
    if (!isObject(value)) return undefined;
    value = Reflect.get(value, segment);
  }
  return value;
}

/** A schedule stands in place of the interval, and the schema cannot tell an interval from its default. */
function schedulesBeside(data: unknown): Issue[] {
  const registries = valueAt(data, ['registries']);
  if (!Array.isArray(registries)) return [];
  return registries.flatMap((registry: unknown, index) => {
    const isBoth =
      valueAt(registry, ['schedule']) !== undefined &&
      valueAt(registry, ['syncPolicy', 'interval']) !== undefined;
    const message = 'expected either schedule or syncPolicy.interval, but both are given';
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

/**
 * Where something seems to be missing, or wrong with a map as a whole, only because a key of it is
 * misspelt.
 */
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

/** `stripped` has the places that miss something only because it was stripped. */
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
    // Taking an item out of a list would shift the places of the others.
    if (typeof key !== 'string' || !isObject(parent)) continue;
    Reflect.deleteProperty(parent, key);
    stripped.add(formatPath(path)).add(formatPath(path.slice(0, -1)));
  }
  return { rest, stripped };
}

/** Text and lists of a wrong form are checked on, all but durations: those are read while they are checked. */
function endsCheck({ code, message }: Issue): boolean {
  if (code === 'custom') return message.startsWith('expected a duration');
  return code !== 'invalid_format' && code !== 'too_small' && code !== 'too_big';
}

/** Whether a value of plain data is a map. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && !Array.isArray(value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
