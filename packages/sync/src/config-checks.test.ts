import { type ConfigInput, configSchema } from '@syncline/contract';
import { expect, test } from 'vitest';
import { checkGlobs, checkSchedules } from './config-checks.ts';

const FILE = { file: { path: '/registry.json' } };

const issues = (input: ConfigInput) =>
  [checkGlobs, checkSchedules]
    .flatMap((find) => find(configSchema.parse(input)))
    .map(({ path, message }) => `${path.join('.')}: ${message}`);

test('globs that are not well-formed are found, of registries and of catalogs', () => {
  const config: ConfigInput = {
    registries: [
      {
        name: 'one',
        ...FILE,
        filter: { names: { include: ['ok*', 'a{b'], exclude: ['[!x]y', '[z-a]'] } },
      },
    ],
    catalogs: [{ name: 'all', registries: ['one'], filter: { names: { exclude: ['a['] } } }],
  };
  const message = 'expected a glob of *, ?, [a-c], [!x] and {a,b}';
  expect(issues(config)).toEqual([
    `registries.0.filter.names.include.1: ${message}`,
    `registries.0.filter.names.exclude.1: ${message}`,
    `catalogs.0.filter.names.exclude.0: ${message}`,
  ]);
});

test('tags are no globs', () => {
  const filter = { tags: { include: ['a[', '{'] } };
  expect(issues({ registries: [{ name: 'one', ...FILE, filter }] })).toEqual([]);
});

test('cron patterns that do not parse, or never fire, are found', () => {
  const patterns = ['0 6 * * 1-5', '0 25 * * *', '0 0 30 2 *'];
  const registries = patterns.map((pattern, index) => ({
    name: `r${index}`,
    ...FILE,
    schedule: { pattern },
  }));
  expect(issues({ registries })).toEqual([
    expect.stringMatching(/^registries\.1\.schedule\.pattern: expected a cron pattern, but /),
    expect.stringMatching(/^registries\.2\.schedule\.pattern: .*no day ever matches this one$/),
  ]);
});
