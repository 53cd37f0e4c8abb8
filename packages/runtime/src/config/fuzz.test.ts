import { type ConfigInput, configSchema } from '@syncline/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type LoadedConfig, parseConfig } from './load-config.ts';
import { ConfigError } from './problem.ts';

/** A fixed seed, so that each run of the tests tries the same cases. */
const SEED = 20_261_124;
const VALID: readonly ConfigInput[] = [
  {
    registries: [
      { name: 'a', file: { path: '/a.json' }, syncPolicy: { interval: '5m' }, snapshots: 3 },
      {
        name: 'b',
        api: {
          endpoint: 'https://b.example',
          auth: { tokenFile: '/token' },
          headers: { 'X-Team': 'acme', 'X-API-Key': { file: '/key' } },
        },
        schedule: { pattern: '0 6 * * 1-5', timezone: 'Europe/Berlin' },
        staleAfter: '3d',
        suspended: true,
      },
      {
        name: 'c',
        git: { repository: 'https://c.example/c.git', branch: 'main', path: 'folder' },
        filter: { names: { include: ['io.*'], exclude: ['*x'] }, tags: { include: ['t'] } },
        guard: { maxShrinkPercent: 12.5, allowEmpty: true },
      },
    ],
    catalogs: [{ name: 'all', registries: ['b', 'a'], filter: { tags: { exclude: ['z'] } } }],
    network: {
      allow: ['10.0.0.0/8'],
      userAgent: 'x',
      budgets: [{ host: 'b.example', requestsPerSecond: 0.5 }],
    },
  },
];
const TOOLHIVE = {
  sources: [
    { name: 'a', git: { repository: 'https://a.example/a.git' }, syncPolicy: { interval: '5m' } },
    { name: 'b', managed: {}, claims: { x: 'y' } },
    { name: 'c', file: { url: 'https://c.example/' }, filter: { names: { include: ['*'] } } },
  ],
  registries: [{ name: 'all', sources: ['a', 'b', 'c'] }],
  database: { host: 'x' },
  auth: { mode: 'anonymous' },
};

/** Expects a config, or an error with a position for each problem. */
function parseAny(text: string): LoadedConfig | undefined {
  try {
    return parseConfig('/etc/syncline.yaml', text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe('config-invalid');
    expect(error.problems.length).toBeGreaterThan(0);
    const lines = text.split('\n').length;
    for (const { line, column, message } of error.problems) {
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines);
      expect(column).toBeGreaterThanOrEqual(1);
      expect(message).not.toBe('');
    }
    return undefined;
  }
}

/** Expects the same config after printing and parsing it again. */
function expectCanonical({ input, digest, config }: LoadedConfig): void {
  for (const printed of [JSON.stringify(input), stringify(turned(input))]) {
    const again = parseConfig('/elsewhere/other.yaml', printed);
    expect(again.digest).toBe(digest);
    expect(again.config).toEqual(config);
  }
}

/** The same data, with the keys of each map in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, turned(inner)]),
  );
}

function holds(text: string): void {
  const loaded = parseAny(text);
  if (loaded !== undefined) expectCanonical(loaded);
}

/** One change in plain data. */
interface Mutation {
  readonly at: number;
  readonly kind: 'replace' | 'delete' | 'rename' | 'insert';
  readonly value: unknown;
  readonly key: string;
}

const KEYS = [
  'name',
  'file',
  'sources',
  'registries',
  'interval',
  '__proto__',
  'constructor',
  '<<',
];
const VALUES = [
  null,
  true,
  0,
  -1,
  1e9,
  Number.NaN,
  '',
  'a',
  '0s',
  '-5m',
  '1 fortnight',
  '* * * * *',
  '[',
  '../x',
  'https://u:p@x',
  [],
  {},
  [[]],
  ['a', 'a'],
  { __proto__: null },
];

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(1_000),
  kind: fc.constantFrom('replace', 'delete', 'rename', 'insert'),
  value: fc.oneof(fc.constantFrom<unknown>(...VALUES), fc.jsonValue({ maxDepth: 3 })),
  key: fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 8 })),
});

type Container = Record<string, unknown>;

function mutate(data: unknown, { at, kind, value, key }: Mutation): void {
  const places = placesIn(data);
  const place = places[at % Math.max(1, places.length)];
  if (place === undefined) return;
  const { container, name } = place;
  const before = container[name];
  if (kind === 'replace') container[name] = value;
  if (kind === 'insert') define(container, key, value);
  if (kind === 'delete' || kind === 'rename') Reflect.deleteProperty(container, name);
  if (kind === 'rename') define(container, key, before);
}

function define(container: Container, key: string, value: unknown): void {
  const name = Array.isArray(container) ? String(container.length) : key;
  Object.defineProperty(container, name, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

function placesIn(data: unknown): { container: Container; name: string }[] {
  if (typeof data !== 'object' || data === null) return [];
  const container = data as Container;
  return Object.keys(container).flatMap((name) => [
    { container, name },
    ...placesIn(container[name]),
  ]);
}

test('any text is a valid config or an error with a position', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .array(
        fc.constantFrom(
          ...['registries:', '\n', '  ', '- ', 'name: a', '&a ', '*a', '[', ']', '{', '}', ', '],
          ...['"', "'", '|', '>', '!!', '#', '---', '...', '? ', ': ', '<<: *a', '\t', 'sources:'],
          ...['file: { path: x }', '%YAML 1.2\n', '\u0000', '\uFEFF', '\uD800', '!!binary x'],
        ),
        { maxLength: 60 },
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(fc.property(text, holds), { seed: SEED, numRuns: 500 });
});

test('any data is a valid config or an error with a position', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const keyed = fc.dictionary(fc.oneof(fc.constantFrom(...KEYS), fc.string()), value);
  fc.assert(
    fc.property(fc.oneof(value, keyed), (data) => holds(JSON.stringify(data))),
    { seed: SEED, numRuns: 500 },
  );
});

test.each([
  ['Syncline', VALID[0]],
  ['ToolHive', TOOLHIVE],
])('a mutated config (%s) is valid or an error with a position', (_whose, valid) => {
  holds(JSON.stringify(valid));
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      const data = structuredClone(valid);
      for (const it of mutations) mutate(data, it);
      for (const text of [JSON.stringify(data), stringify(data, { aliasDuplicateObjects: true })]) {
        const loaded = parseAny(text);
        if (loaded === undefined) continue;
        accepted += 1;
        expectCanonical(loaded);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
  // If no config were accepted, this test would cover only errors.
  expect(accepted).toBeGreaterThan(20);
});

test('damaged text is a valid config or an error with a position', () => {
  const text = stringify(VALID[0]);
  const spoiled = fc
    .tuple(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 5 }))
    .map(([at, length, put]) => `${text.slice(0, at)}${put}${text.slice(at + length)}`);
  fc.assert(fc.property(spoiled, holds), { seed: SEED, numRuns: 500 });
});

test('a stored config parses to the config that was stored', () => {
  const { input, config } = parseConfig('/etc/syncline.yaml', JSON.stringify(VALID[0]));
  expect(configSchema.parse(JSON.parse(JSON.stringify(input)))).toEqual(config);
});
