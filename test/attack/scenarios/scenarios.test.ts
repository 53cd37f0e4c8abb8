import { expect, test } from 'vitest';
import { SCENARIOS, scenarioOf } from './index.ts';

test('each attack has an id and a title of its own', () => {
  expect(new Set(SCENARIOS.map(({ id }) => id)).size).toBe(SCENARIOS.length);
  expect(new Set(SCENARIOS.map(({ title }) => title)).size).toBe(SCENARIOS.length);
});

test('there is an attack for each case of the list, and more', () => {
  const cases = new Set(SCENARIOS.map(({ id }) => id.replace(/[a-z]$/, '')));
  for (let number = 1; number <= 17; number += 1) expect(cases).toContain(`X${number}`);
  expect(SCENARIOS.filter(({ id }) => id.startsWith('R')).length).toBeGreaterThanOrEqual(20);
});

test('the mixed attack has thirty upstreams', () => {
  const { upstreams = {}, registries } = scenarioOf('mixed');
  const urls = Object.fromEntries(Object.keys(upstreams).map((name) => [name, 'http://x']));
  expect(Object.keys(upstreams)).toHaveLength(30);
  expect(registries?.({ urls, directory: '/none' })).toHaveLength(30);
});

test('an unknown attack is an error', () => {
  expect(() => scenarioOf('X99')).toThrow('there is no attack X99');
});
