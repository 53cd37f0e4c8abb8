import { SynclineError } from '@syncline/contract';
import fc from 'fast-check';
import picomatch from 'picomatch';
import { describe, expect, test } from 'vitest';
import { compileGlob } from './glob.ts';

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
    ['{a,{b,c*}}x', ['ax', 'bx', 'cx', 'c/x'], ['x', 'dx']],
    ['{a}', ['{a}'], ['a']],
    ['{,a}b', ['b', 'ab'], ['a']],
    ['**/b', ['b', 'a/b', 'a/a/b'], ['ab']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/xb']],
    ['a*b*c', ['abc', 'a/b/c', 'abbcc'], ['acb', 'abcd']],
    ['*ab', ['ab', 'aab', 'abab'], ['aba']],
    ['\\*\\{', ['*{'], ['a{', '\\*\\{']],
    ['[]a]', [']', 'a'], ['b']],
    ['[[:digit:]]', ['1'], ['a', ':']],
    ['?', ['a', '.'], ['/', 'ab']],
    ['a.b', ['a.b'], ['axb']],
    ['a+b', ['a+b'], ['aab']],
    ['!a', ['!a'], ['b']],
    ['@\\(a\\)', ['@(a)'], ['a', '@a']],
  ])('%s matches %j, but not %j', (glob, matching, others) => {
    const matches = compileGlob(glob);
    expect(matching.filter(matches)).toEqual(matching);
    expect(others.filter(matches)).toEqual([]);
  });

  test.each(['[a', 'a{b', 'a]b[', '[z-a]', 'a\\', 'a\\\\\\', '(a|b)', 'a{1..3}'])(
    'rejects %s',
    (glob) => {
      expect(() => compileGlob(glob)).toThrow(
        expect.objectContaining({ name: SynclineError.name, code: 'config-invalid' }),
      );
    },
  );

  test('matches long names with a glob of 200 stars', () => {
    const matches = compileGlob(`${'*a'.repeat(200)}b`);
    expect(matches('a'.repeat(1_000))).toBe(false);
    expect(matches(`${'a'.repeat(1_000)}b`)).toBe(true);
  });

  test('rejects braces that stand for too many globs', () => {
    expect(() => compileGlob('{a,b}'.repeat(20))).toThrow(
      expect.objectContaining({ code: 'config-invalid' }),
    );
  });

  test('matches the same names as picomatch, which is exponential', () => {
    const parts = ['a', 'b', '/', '*', '?', '{a,b}', '[ab]', '[!a]', '\\*', '{a,{b,*}}', '**/'];
    const globs = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 });
    const names = fc.array(fc.constantFrom('a', 'b', '*', '{', '/a'), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(globs, names, (glob, name) => {
        const options = { bash: true, dot: true, nonegate: true, noextglob: true, posix: true };
        const expected = picomatch.makeRe(glob.join(''), { ...options, strictSlashes: true });
        expect(compileGlob(glob.join(''))(name.join(''))).toBe(expected.test(name.join('')));
      }),
      { seed: 20_261_127, numRuns: 3_000 },
    );
  });
});
