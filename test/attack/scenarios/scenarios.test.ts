import { expect, test } from 'vitest';
import { registriesOf } from '../run-attack.ts';
import { MIXED, SCENARIOS, scenarioOf } from './index.ts';

test('each attack has an id and a title of its own', () => {
  expect(new Set(SCENARIOS.map(({ id }) => id)).size).toBe(SCENARIOS.length);
  expect(new Set(SCENARIOS.map(({ title }) => title)).size).toBe(SCENARIOS.length);
});

test('there is an attack for each case of the list, and more', () => {
  const cases = new Set(SCENARIOS.map(({ id }) => id.replace(/[a-z]$/, '')));
  for (let number = 1; number <= 17; number += 1) expect(cases).toContain(`X${number}`);
  expect(SCENARIOS.filter(({ id }) => id.startsWith('R')).length).toBeGreaterThanOrEqual(20);
});

test('the mixed attack has thirty servers and registries, each with a name of its own', () => {
  const names = MIXED.flatMap((scenario) => {
    const urls = Object.fromEntries(
      Object.keys(scenario.upstreams ?? {}).map((name) => [name, 'http://x']),
    );
    return registriesOf(scenario, { urls, directory: '/none' }).map(({ name }) => name);
  });
  expect(names).toHaveLength(30);
  expect(new Set(names).size).toBe(30);
});

test('an unknown attack is an error', () => {
  expect(() => scenarioOf('X99')).toThrow('there is no attack X99');
});
