import { type JsonObject, OFFICIAL_META } from '@syncline/rows';
import type { StoredRow } from './encoding/chunk.ts';

const OFFICIAL = `_meta["${OFFICIAL_META}"]`;

/**
 * Which fields of two states of a row differ: `server.description`, `_meta["<block>"]`, and the members of
 * the registry's own block one by one. `isLatest` is ours: it can differ where upstream's does not.
 */
export function changedFields(
  before: Pick<StoredRow, 'json' | 'isLatest'>,
  after: Pick<StoredRow, 'json' | 'isLatest'>,
): string[] {
  const fieldsBefore = fieldsOf(before.json);
  const fieldsAfter = fieldsOf(after.json);
  const names = new Set([...fieldsBefore.keys(), ...fieldsAfter.keys()]);
  const changed = new Set<string>();
  for (const name of names) {
    if (fieldsBefore.get(name) !== fieldsAfter.get(name)) changed.add(name);
  }
  if (before.isLatest !== after.isLatest) changed.add(`${OFFICIAL}.isLatest`);
  return [...changed];
}

/** Each field's value as JSON. */
function fieldsOf(json: string): Map<string, string> {
  const fields = new Map<string, string>();
  const add = (parent: string, value: unknown) => {
    for (const [name, member] of Object.entries(objectOf(value))) {
      fields.set(`${parent}.${name}`, JSON.stringify(member));
    }
  };
  const { server, _meta, ...others } = objectOf(JSON.parse(json));
  add('server', server);
  for (const [block, value] of Object.entries(objectOf(_meta))) {
    if (block === OFFICIAL_META) add(OFFICIAL, value);
    else fields.set(`_meta["${block}"]`, JSON.stringify(value));
  }
  for (const [name, value] of Object.entries(others)) fields.set(name, JSON.stringify(value));
  return fields;
}

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
