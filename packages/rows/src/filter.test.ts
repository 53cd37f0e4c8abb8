import { registryConfig } from '@syncline/contract/testing';
import { describe, expect, test } from 'vitest';
import { compileFilter } from './filter.ts';
import { PUBLISHER_META } from './row.ts';

type FilterInput = NonNullable<Parameters<typeof registryConfig>[0]>['filter'];

function passing(filter: FilterInput, servers: readonly { name: string; _meta?: object }[]) {
  const passes = compileFilter(registryConfig({ filter }).filter);
  return servers
    .filter(({ name, _meta }) => passes({ name, _meta: { ..._meta } }))
    .map(({ name }) => name);
}

function tagged(name: string, ...tags: unknown[]) {
  return { name, _meta: { [PUBLISHER_META]: { 'io.github.acme': { [name]: { tags } } } } };
}

describe('compileFilter', () => {
  const servers = [{ name: 'a/one' }, { name: 'a/two' }, { name: 'b/one' }];

  test('everything passes without patterns', () => {
    expect(passing({}, servers)).toEqual(['a/one', 'a/two', 'b/one']);
  });

  test('a name passes if it matches one included pattern', () => {
    expect(passing({ names: { include: ['a/one', 'b/*'] } }, servers)).toEqual(['a/one', 'b/one']);
  });

  test('exclusion beats inclusion', () => {
    expect(passing({ names: { include: ['a/*'], exclude: ['*/two'] } }, servers)).toEqual([
      'a/one',
    ]);
  });

  test('exclusion alone drops only matches', () => {
    expect(passing({ names: { exclude: ['a/*'] } }, servers)).toEqual(['b/one']);
  });

  const tags = [tagged('red', 'red'), tagged('both', 'red', 'blue'), { name: 'none' }];

  test('an included tag must be present exactly', () => {
    expect(passing({ tags: { include: ['red'] } }, tags)).toEqual(['red', 'both']);
    expect(passing({ tags: { include: ['re*', 'RED'] } }, tags)).toEqual([]);
  });

  test('an excluded tag must be absent', () => {
    expect(passing({ tags: { exclude: ['blue'] } }, tags)).toEqual(['red', 'none']);
    expect(passing({ tags: { include: ['red'], exclude: ['blue'] } }, tags)).toEqual(['red']);
  });

  test('the name and the tags must both pass', () => {
    const filter = { names: { include: ['b*'] }, tags: { include: ['red'] } };
    expect(passing(filter, tags)).toEqual(['both']);
  });

  test('ignores tags of any other shape', () => {
    const odd = [
      { name: 'a', _meta: { [PUBLISHER_META]: 'text' } },
      { name: 'b', _meta: { [PUBLISHER_META]: { ns: { key: { tags: 'red' } } } } },
      { name: 'c', _meta: { [PUBLISHER_META]: { ns: null } } },
      tagged('d', 1, null, 'red'),
    ];
    expect(passing({ tags: { include: ['red'] } }, odd)).toEqual(['d']);
  });
});
