import { type ConfigInput, configSchema } from '@syncline/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkGlobs, checkSchedules } from './config-checks.ts';

const FILE = { file: { path: '/registry.json' } };

const issues = (input: ConfigInput) =>
  [checkGlobs, checkSchedules]
    .flatMap((find) => find(configSchema.parse(input)))
    .map(({ path, message }) => `${path.join('.')}: ${message}`);

test('malformed globs of registries and catalogs are reported', () => {
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
  const message = 'the glob is invalid. Use *, ?, [a-c], [!x] and {a,b} as special characters';
  expect(issues(config)).toEqual([
    `registries.0.filter.names.include.1: ${message}`,
    `registries.0.filter.names.exclude.1: ${message}`,
    `catalogs.0.filter.names.exclude.0: ${message}`,
  ]);
});

test('tags are not checked as globs', () => {
  const filter = { tags: { include: ['a[', '{'] } };
  expect(issues({ registries: [{ name: 'one', ...FILE, filter }] })).toEqual([]);
});

test('cron patterns that cannot be parsed or never fire are reported', () => {
  const patterns = ['0 6 * * 1-5', '0 25 * * *', '0 0 30 2 *'];
  const registries = patterns.map((pattern, index) => ({
    name: `r${index}`,
    ...FILE,
    schedule: { pattern },
  }));
  expect(issues({ registries })).toEqual([
    expect.stringMatching(/^registries\.1\.schedule\.pattern: the cron pattern is invalid: /),
    expect.stringMatching(
      /^registries\.2\.schedule\.pattern: no day ever matches this cron pattern\. Use a pattern that matches some days$/,
    ),
  ]);
});

test('any pattern or glob is either accepted or reported, and never throws', () => {
  const field = fc.oneof(
    fc.constantFrom(
      '*',
      '*/7',
      '0',
      '59',
      '31',
      '1-5',
      '2,4',
      'L',
      '?',
      '5#3',
      'FEB',
      'H',
      '-1',
      '',
    ),
    fc.string({ maxLength: 4 }),
  );
  const pattern = fc.oneof(
    fc.array(field, { minLength: 4, maxLength: 7 }).map((fields) => fields.join(' ')),
    fc.string({ minLength: 1, maxLength: 40 }),
  );
  const glob = fc
    .array(fc.constantFrom(...'a*?[]{}()!,-\\/.+@|^$'), { minLength: 1, maxLength: 12 })
    .map((characters) => characters.join(''));
  fc.assert(
    fc.property(fc.tuple(pattern, glob), ([one, other]) => {
      const filter = { names: { include: [other] } };
      const schedule = { pattern: one === '' ? '*' : one, timezone: 'Europe/Berlin' };
      const found = issues({ registries: [{ name: 'one', ...FILE, schedule, filter }] });
      for (const issue of found) expect(issue).toMatch(/: (?:use |.+\. (?:Use|Correct) )/);
    }),
    { seed: 20_261_124, numRuns: 1_000 },
  );
});
