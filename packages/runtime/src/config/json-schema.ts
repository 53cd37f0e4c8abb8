import { configSchema, DURATION } from '@syncline/contract';
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';

export type JsonSchema = z.core.JSONSchema.JSONSchema;

let known: JsonSchema | undefined;

/** Returns the JSON Schema of the config as people write it: durations are text, and defaults may be omitted. */
export function configJsonSchema(): JsonSchema {
  if (known !== undefined) return known;
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input' });
  known = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Syncline config',
    description: 'The registries that Syncline keeps copies of, and how it serves them.',
    ...schema,
  };
  return known;
}

/** Returns whether a schema describes a duration, such as `30s` or `1h30m`. */
export function isDuration(schema: JsonSchema): boolean {
  return schema.pattern === DURATION.source;
}

/** Returns the schema of the value at `path`, or `undefined` if no value is allowed there. */
export function schemaAt(root: JsonSchema, path: readonly PropertyKey[]): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>(childSchema, root);
}

/** Returns the schemas of the keys of a map, in the order of their declaration. */
export function propertiesOf(schema: JsonSchema | undefined): ReadonlyMap<string, JsonSchema> {
  const properties = new Map<string, JsonSchema>();
  for (const [key, value] of Object.entries(schema?.properties ?? {})) {
    if (typeof value !== 'boolean') properties.set(key, value);
  }
  return properties;
}

/** Returns the schema of each item of a list. */
export function itemSchema(schema: JsonSchema | undefined): JsonSchema | undefined {
  const items = schema?.items;
  return typeof items === 'object' && !Array.isArray(items) ? items : undefined;
}

/** Returns the schema of each value of a map with free keys, such as headers. */
export function valueSchema(schema: JsonSchema | undefined): JsonSchema | undefined {
  const values = schema?.additionalProperties;
  return typeof values === 'object' ? values : undefined;
}

/** Returns the alternatives of a schema, or the schema itself if it has no alternatives. */
export function alternativesOf(schema: JsonSchema): JsonSchema[] {
  return (schema.anyOf ?? [schema]).filter((it) => typeof it === 'object');
}

function childSchema(schema: JsonSchema | undefined, segment: PropertyKey): JsonSchema | undefined {
  if (typeof segment === 'number') return itemSchema(schema);
  return propertiesOf(schema).get(String(segment)) ?? valueSchema(schema);
}

/**
 * Suggests a known key for the unknown key `key` in the map at `parent`. The suggestion is a key with a similar spelling,
 * or the same key one level deeper (`interval` for `syncPolicy.interval`).
 */
export function suggestKey(
  root: JsonSchema,
  parent: readonly PropertyKey[],
  key: string,
): string | undefined {
  const allowed = propertiesOf(schemaAt(root, parent));
  return nearest(key, [...allowed.keys()]) ?? furtherIn(key, allowed);
}

/** Returns the candidate with the most similar spelling, if one is similar enough. */
export function nearest(key: string, candidates: readonly string[]): string | undefined {
  const farthest = Math.max(2, Math.floor(key.length / 3));
  const ranked = candidates
    .map((candidate) => ({
      candidate,
      distance: distance(key.toLowerCase(), candidate.toLowerCase()),
    }))
    // Two edits can turn any short word into any other short word. So the distance must be less than half the length of
    // the candidate.
    .filter(({ candidate, distance: edits }) => edits <= farthest && edits < candidate.length / 2)
    .sort((one, other) => one.distance - other.distance);
  return ranked[0]?.candidate;
}

function furtherIn(key: string, allowed: ReadonlyMap<string, JsonSchema>): string | undefined {
  for (const [block, schema] of allowed) {
    if (propertiesOf(schema).has(key)) return `${block}.${key}`;
  }
  return undefined;
}
