import { expect, test } from 'vitest';
import { parseConfig, registryProblems } from './load-config.ts';

test('a valid entry has no problems', () => {
  expect(registryProblems({ name: 'local', file: { path: '/registry.json' } })).toEqual([]);
});

test('problems read as in a config file, with paths relative to the entry', () => {
  const entry = {
    name: 'local',
    file: { path: '/registry.json' },
    syncPolicy: { intervall: '5m', timeout: 'soon' },
    guard: { maxShrinkPercent: 200 },
  };
  const problems = registryProblems(entry);
  expect(problems).toEqual([
    'syncPolicy.intervall: unknown key; did you mean interval?',
    expect.stringMatching(/^syncPolicy\.timeout: found "soon"\. Use a duration/),
    'guard.maxShrinkPercent: found the number 200. Use a number of at most 100',
  ]);
  const loaded = () => parseConfig('c.json', JSON.stringify({ registries: [entry] }));
  for (const problem of problems) expect(loaded).toThrow(problem);
});

test('a problem of the whole entry has no path', () => {
  expect(registryProblems({ name: 'local' })).toEqual([
    expect.stringMatching(/^none of file, git, api is set\. Set exactly one of /),
  ]);
  expect(registryProblems('nonsense')).toEqual(['found "nonsense". Use a map']);
});

test('an entry that is nested too deep is one problem, not a crash', () => {
  let entry: unknown = 1;
  for (let depth = 0; depth < 3_000; depth += 1) entry = [entry];
  expect(registryProblems({ name: entry })).toHaveLength(1);
});
