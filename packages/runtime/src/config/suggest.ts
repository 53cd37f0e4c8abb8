import { distance } from 'fastest-levenshtein';
import { type JsonSchema, propertiesOf, schemaAt } from './json-schema.ts';

/**
 * What was probably meant by the unknown key `key` in the map at `parent`: an allowed key that is spelt
 * nearly so, or the same key one block further in (`interval` for `syncPolicy.interval`).
 */
export function suggestKey(
  root: JsonSchema,
  parent: readonly PropertyKey[],
  key: string,
): string | undefined {
  const allowed = propertiesOf(schemaAt(root, parent));
  return nearest(key, [...allowed.keys()]) ?? furtherIn(key, allowed);
}

/** The candidate that is spelt nearly as `key` is. */
export function nearest(key: string, candidates: readonly string[]): string | undefined {
  const farthest = Math.max(2, Math.floor(key.length / 3));
  const ranked = candidates
    .map((candidate) => ({
      candidate,
      distance: distance(key.toLowerCase(), candidate.toLowerCase()),
    }))
    // Two edits turn any two short words into each other.
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
