import { SynclineError } from '@syncline/contract';
import { registryConfig } from '@syncline/contract/testing';
import { describe, expect, test } from 'vitest';
import { compileFilter, compileGlob } from './filter.ts';
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

describe('compileGlob', () => {
  test.each<[glob: string, matching: string[], others: string[]]>([
    ['a/b', ['a/b'], ['a/bc', 'xa/b', 'a', 'A/b']],
    [
      'io.github.*',
      ['io.github.acme/x', 'io.github.a/b/c'],
      ['io.github', 'io_github.x', 'x.io.github.a'],
    ],
    ['*', ['a', 'a/b', '.hidden', 'a/.b'], []],
    ['*/weather', ['a/weather', 'a/b/weather'], ['weather', 'a/weather2']],
    ['a?c', ['abc', 'a.c'], ['ac', 'abbc']],
    ['v[a-c]', ['va', 'vc'], ['vd', 'v', 'v-']],
    ['v[!x]', ['va', 'v!'], ['vx', 'v']],
    ['{a,b}/*', ['a/1', 'b/1'], ['c/1', '{a,b}/1']],
    ['a.b', ['a.b'], ['axb']],
    ['a+b', ['a+b'], ['aab']],
    ['!a', ['!a'], ['b']],
    ['@(a|b)', [], ['a', 'b']],
  ])('%s matches %j, but not %j', (glob, matching, others) => {
    const matches = compileGlob(glob);
    expect(matching.filter(matches)).toEqual(matching);
    expect(others.filter(matches)).toEqual([]);
  });

  test.each(['[a', 'a{b', 'a]b[', '[z-a]', 'a\\', 'a\\\\\\'])('rejects %s', (glob) => {
    expect(() => compileGlob(glob)).toThrow(
      expect.objectContaining({ name: SynclineError.name, code: 'config-invalid' }),
    );
  });
});

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
