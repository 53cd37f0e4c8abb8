import { describe, expect, test } from 'vitest';
import {
  type ConfigInput,
  catalogRegistry,
  configSchema,
  describeSource,
  sourceKind,
} from './config.ts';

const FILE = { name: 'local', file: { path: './registry.json' } };
const API = { name: 'official', api: { endpoint: 'https://registry.example.com' } };

/** Where each problem lies, and what it is. */
function problems(config: unknown): string[] {
  const parsed = configSchema.safeParse(config);
  return (parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const registry = (changes: object) => ({ registries: [{ ...FILE, ...changes }] });

describe('a config', () => {
  test('has a default for everything but name and source', () => {
    expect(configSchema.parse({ registries: [FILE, API] })).toEqual({
      registries: [
        {
          ...FILE,
          syncPolicy: { interval: 3_600_000, fullInterval: 86_400_000, timeout: 900_000 },
          filter: { names: { include: [], exclude: [] }, tags: { include: [], exclude: [] } },
          guard: { maxShrinkPercent: 20, allowEmpty: false },
          snapshots: 5,
          suspended: false,
        },
        expect.objectContaining({
          api: { endpoint: 'https://registry.example.com', timeout: 30_000 },
        }),
      ],
      catalogs: [],
      network: {},
    });
  });

  test.each<[why: string, config: unknown, problem: RegExp]>([
    ['nothing', undefined, /^: Invalid input: expected object/],
    ['no registries', { registries: [] }, /^registries: expected at least one registry/],
    ['a key that is not known', { ...registry({}), sources: [] }, /^: Unrecognized key: "sources"/],
    [
      'a key that is not known, in a registry',
      registry({ intervall: '5s' }),
      /^registries\.0: .*intervall/,
    ],
    ['no name', registry({ name: undefined }), /^registries\.0\.name: /],
    ['a name with capitals', registry({ name: 'Local' }), /^registries\.0\.name: expected 1 to 63/],
    ['a name that ends with a dash', registry({ name: 'local-' }), /name: expected 1 to 63/],
    ['a name that is too long', registry({ name: 'a'.repeat(64) }), /name: expected 1 to 63/],
    [
      'no source',
      { registries: [{ name: 'x' }] },
      /^registries\.0: expected exactly one source \(file or api\), found none/,
    ],
    ['two sources', registry({ api: API.api }), /found file and api$/],
    ['an empty path', registry({ file: { path: '' } }), /^registries\.0\.file\.path: /],
    [
      'an endpoint of another kind',
      { registries: [{ name: 'x', api: { endpoint: 'ftp://x' } }] },
      /endpoint: expected an http or https URL/,
    ],
    [
      'an interval that is too short',
      registry({ syncPolicy: { interval: '500ms' } }),
      /^registries\.0\.syncPolicy\.interval: expected a duration of at least 1s/,
    ],
    [
      'an interval that is a number',
      registry({ syncPolicy: { interval: 30 } }),
      /interval: .*string/,
    ],
    [
      'a timeout that is none',
      registry({ syncPolicy: { timeout: 'soon' } }),
      /expected a duration such as/,
    ],
    [
      'a share beyond 100',
      registry({ guard: { maxShrinkPercent: 101 } }),
      /guard\.maxShrinkPercent: /,
    ],
    ['no snapshot kept', registry({ snapshots: 0 }), /^registries\.0\.snapshots: /],
    ['half a snapshot', registry({ snapshots: 1.5 }), /^registries\.0\.snapshots: /],
    [
      'an empty pattern',
      registry({ filter: { names: { include: [''] } } }),
      /filter\.names\.include\.0: /,
    ],
    [
      'a name that is used twice',
      { registries: [FILE, API, FILE] },
      /^registries\.2\.name: expected a unique name, but registries\[0\] is called local too/,
    ],
    [
      'a catalog of no registry',
      { registries: [FILE], catalogs: [{ name: 'x', registries: [] }] },
      /^catalogs\.0\.registries: expected the name of one registry/,
    ],
    [
      'a catalog of one that is not there',
      { registries: [FILE], catalogs: [{ name: 'x', registries: ['gone'] }] },
      /^catalogs\.0\.registries\.0: expected the name of a registry in this config \(local\), found gone/,
    ],
    [
      'two catalogs of one name',
      {
        registries: [FILE],
        catalogs: [
          { name: 'x', registries: ['local'] },
          { name: 'x', registries: ['local'] },
        ],
      },
      /^catalogs\.1\.name: expected a unique name/,
    ],
    [
      'a user agent that would break a header',
      { registries: [FILE], network: { userAgent: 'a\r\nb' } },
      /^network\.userAgent: expected printable ASCII/,
    ],
  ])('with %s is refused', (_why, config, problem) => {
    expect(problems(config)).toContainEqual(expect.stringMatching(problem));
  });

  test('has all its problems told at once', () => {
    const config = {
      registries: [
        { name: 'A', file: { path: '' } },
        { name: 'b', snapshots: 0 },
      ],
    };
    expect(problems(config).length).toBeGreaterThanOrEqual(3);
  });

  test.each(['http://registry:8080', 'http://127.0.0.1:1/path', 'https://a.example'])(
    'may name the endpoint %s',
    (endpoint) => {
      expect(problems({ registries: [{ name: 'x', api: { endpoint } }] })).toEqual([]);
    },
  );
});

describe('what a registry is read from', () => {
  const { registries } = configSchema.parse({ registries: [FILE, API] });

  test('has a kind and a place', () => {
    expect(registries.map((it) => [sourceKind(it), describeSource(it)])).toEqual([
      ['file', './registry.json'],
      ['api', 'https://registry.example.com'],
    ]);
  });
});

describe('catalogRegistry', () => {
  const input: ConfigInput = {
    registries: [FILE, API],
    catalogs: [
      { name: 'default', registries: ['official'] },
      { name: 'local', registries: ['official'] },
    ],
  };
  const config = configSchema.parse(input);

  test.each([
    ['default', 'official'],
    // A catalog goes before a registry of its name.
    ['local', 'official'],
    ['official', 'official'],
    ['nobody', undefined],
  ])('%s is %s', (catalog, name) => {
    expect(catalogRegistry(config, catalog)).toBe(name);
  });
});
