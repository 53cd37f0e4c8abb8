import { OFFICIAL_META } from '@syncline/rows';
import { expect, test } from 'vitest';
import { changedFields } from './diff.ts';

function row(server: object, meta: object = {}, isLatest = true) {
  return { json: JSON.stringify({ server, _meta: meta }), isLatest };
}

test('equal rows have no changed fields', () => {
  expect(changedFields(row({ name: 'a', tags: [1] }), row({ name: 'a', tags: [1] }))).toEqual([]);
});

test('lists changed, new and removed fields', () => {
  const before = row({ name: 'a', packages: [{ version: '1' }], gone: 1, same: { x: 1 } });
  const after = row({ name: 'a', packages: [{ version: '2' }], same: { x: 1 }, came: 1 });
  expect(changedFields(before, after)).toEqual(['server.packages', 'server.gone', 'server.came']);
});

test('lists each member of the official block, and other blocks as a whole', () => {
  const before = row({}, { [OFFICIAL_META]: { status: 'active', x: 1 }, 'com.acme/a': { y: 1 } });
  const after = row({}, { [OFFICIAL_META]: { status: 'deleted', x: 1 }, 'com.acme/a': { y: 2 } });
  expect(changedFields(before, after)).toEqual([
    `_meta["${OFFICIAL_META}"].status`,
    '_meta["com.acme/a"]',
  ]);
});

test('lists isLatest if it changes', () => {
  expect(changedFields(row({}), row({}, {}, false))).toEqual([
    `_meta["${OFFICIAL_META}"].isLatest`,
  ]);
});

test('treats __proto__ like any other field', () => {
  const before = { json: '{"server":{"__proto__":{"a":1}}}', isLatest: true };
  const after = { json: '{"server":{"__proto__":{"a":2}}}', isLatest: true };
  expect(changedFields(before, after)).toEqual(['server.__proto__']);
});
