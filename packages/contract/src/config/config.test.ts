import { describe, expect, test } from 'vitest';
import {
  type ConfigInput,
  catalogTarget,
  configSchema,
  parseConfigInSteps,
  syncTargets,
} from './config.ts';
import { describeSource, sourceKind } from './registry.ts';

const FILE = { name: 'local', file: { path: './registry.json' } };
const API = { name: 'official', api: { endpoint: 'https://registry.example.com' } };

/** Returns the path and the message of each problem. */
function problems(config: unknown): string[] {
  const parsed = configSchema.safeParse(config);
  return (parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const registry = (changes: object) => ({ registries: [{ ...FILE, ...changes }] });

describe('a config', () => {
  test('has defaults for everything except the name and the source', () => {
    expect(configSchema.parse({ registries: [FILE, API] })).toEqual({
      registries: [
        {
          ...FILE,
          file: { ...FILE.file, timeout: 30_000 },
          syncPolicy: { interval: 3_600_000, fullInterval: 86_400_000, timeout: 900_000 },
          filter: { names: { include: [], exclude: [] }, tags: { include: [], exclude: [] } },
          guard: { maxShrinkPercent: 20, allowEmpty: false },
          snapshots: 5,
          limits: { storedBytes: 256 * 1024 ** 2 },
          suspended: false,
        },
        expect.objectContaining({
          api: { endpoint: 'https://registry.example.com', timeout: 30_000 },
        }),
      ],
      access: { tokens: [] },
      catalogs: [],
      network: { allow: [], budgets: [] },
    });
  });

  test.each<[why: string, config: unknown, problem: RegExp]>([
    ['nothing', undefined, /^: Invalid input: expected object/],
    ['no registries', { registries: [] }, /^registries: list at least one registry/],
    ['an unknown key', { ...registry({}), sources: [] }, /^: Unrecognized key: "sources"/],
    ['an unknown key in a registry', registry({ intervall: '5s' }), /^registries\.0: .*intervall/],
    [
      'a size that is too small',
      registry({ limits: { storedBytes: '999KB' } }),
      /limits\.storedBytes: use a size of at least 1\.0 MB/,
    ],
    [
      'a size without a unit',
      registry({ limits: { storedBytes: '1000000' } }),
      /limits\.storedBytes: use a size such as 256MiB or 1GiB/,
    ],
    ['no name', registry({ name: undefined }), /^registries\.0\.name: /],
    ['a name with capitals', registry({ name: 'Local' }), /^registries\.0\.name: use 1 to 63/],
    ['a name that ends with a dash', registry({ name: 'local-' }), /name: use 1 to 63/],
    ['a name that is too long', registry({ name: 'a'.repeat(64) }), /name: use 1 to 63/],
    [
      'no source',
      { registries: [{ name: 'x' }] },
      /^registries\.0: none of file, git, api is set\. Set exactly one of file, git, api$/,
    ],
    [
      'two sources',
      registry({ api: API.api }),
      /file and api are set\. Set exactly one of file, git, api$/,
    ],
    ['an empty path', registry({ file: { path: '' } }), /^registries\.0\.file\.path: /],
    [
      'an endpoint that is not an HTTP URL',
      { registries: [{ name: 'x', api: { endpoint: 'ftp://x' } }] },
      /endpoint: use an http or https URL/,
    ],
    [
      'an interval that is too short',
      registry({ syncPolicy: { interval: '500ms' } }),
      /^registries\.0\.syncPolicy\.interval: use a duration of at least 1s/,
    ],
    [
      'an interval that is a number',
      registry({ syncPolicy: { interval: 30 } }),
      /interval: .*string/,
    ],
    ['an invalid timeout', registry({ syncPolicy: { timeout: 'soon' } }), /use a duration such as/],
    [
      'a percentage above 100',
      registry({ guard: { maxShrinkPercent: 101 } }),
      /guard\.maxShrinkPercent: /,
    ],
    ['no snapshot kept', registry({ snapshots: 0 }), /^registries\.0\.snapshots: /],
    ['a fraction of a snapshot', registry({ snapshots: 1.5 }), /^registries\.0\.snapshots: /],
    [
      'an empty pattern',
      registry({ filter: { names: { include: [''] } } }),
      /filter\.names\.include\.0: /,
    ],
    [
      'a name that is used twice',
      { registries: [FILE, API, FILE] },
      /^registries\.2\.name: registries\[0\] has the name local too\. Use a unique name/,
    ],
    [
      'a catalog without registries',
      { registries: [FILE], catalogs: [{ name: 'x', registries: [] }] },
      /^catalogs\.0\.registries: list the registries of the catalog/,
    ],
    [
      'a catalog that names a registry twice',
      { registries: [FILE], catalogs: [{ name: 'x', registries: ['local', 'local'] }] },
      /^catalogs\.0\.registries\.1: local is listed twice\. List each registry once/,
    ],
    [
      'a catalog that names an unknown registry',
      { registries: [FILE], catalogs: [{ name: 'x', registries: ['gone'] }] },
      /^catalogs\.0\.registries\.0: there is no registry gone\. Use one of local/,
    ],
    [
      'two catalogs with the same name',
      {
        registries: [FILE],
        catalogs: [
          { name: 'x', registries: ['local'] },
          { name: 'x', registries: ['local'] },
        ],
      },
      /^catalogs\.1\.name: catalogs\[0\] has the name x too\. Use a unique name/,
    ],
    [
      'a user agent that would break a header',
      { registries: [FILE], network: { userAgent: 'a\r\nb' } },
      /^network\.userAgent: use printable ASCII/,
    ],
  ])('with %s is rejected', (_why, config, problem) => {
    expect(problems(config)).toContainEqual(expect.stringMatching(problem));
  });

  test('reports all its problems at once', () => {
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

describe('the source of a registry', () => {
  const { registries } = configSchema.parse({ registries: [FILE, API] });

  test('has a kind and a description of its place', () => {
    expect(registries.map((it) => [sourceKind(it), describeSource(it)])).toEqual([
      ['file', './registry.json'],
      ['api', 'https://registry.example.com'],
    ]);
  });
});

describe('a catalog', () => {
  const input: ConfigInput = {
    registries: [FILE, API],
    catalogs: [
      { name: 'default', registries: ['local', 'official'], filter: { tags: { include: ['x'] } } },
      { name: 'local', registries: ['official'] },
    ],
  };
  const config = configSchema.parse(input);

  test.each([
    ['default', 'catalog.default'],
    // A catalog takes precedence over a registry with the same name.
    ['local', 'catalog.local'],
    ['official', 'official'],
    ['nobody', undefined],
  ])('%s is served by %s', (catalog, target) => {
    expect(catalogTarget(config, catalog)).toBe(target);
  });

  test('is synced as a registry of its own', () => {
    const targets = syncTargets(config);
    expect(targets.map(({ name }) => name)).toEqual([
      'local',
      'official',
      'catalog.default',
      'catalog.local',
    ]);
    expect(targets[2]).toMatchObject({
      catalog: { registries: ['local', 'official'] },
      filter: { tags: { include: ['x'] } },
    });
    expect(targets.map((it) => sourceKind(it))).toEqual(['file', 'api', 'catalog', 'catalog']);
  });
});

const git = (changes: object) => ({
  registries: [{ name: 'x', git: { repository: 'https://g.example/r.git', ...changes } }],
});
const fromUrl = (changes: object) => ({
  registries: [{ name: 'x', file: { url: 'https://f.example/r.json?v=1', ...changes } }],
});

describe('a remote source', () => {
  test.each([
    'https://g.example/r.git',
    'http://127.0.0.1:8080/r.git',
    'ssh://git@g.example:22/r.git',
    'git@g.example:team/r.git',
    'file:///srv/r.git',
    './r',
    '/srv/r.git',
    '../',
  ])('accepts the repository %s', (repository) => {
    expect(problems(git({ repository }))).toEqual([]);
  });

  test.each([
    'https://user:secret@g.example/r.git',
    'https://token@g.example/r.git',
    'https://g.example/r.git?token=x',
    'ext::sh -c id',
    'git://g.example/r.git',
    '-oProxyCommand=id',
    'ssh://-oProxyCommand=id/r',
    '-u@host:r',
    'a\nb',
  ])('rejects the repository %j', (repository) => {
    expect(problems(git({ repository }))).toEqual([expect.stringMatching(/git\.repository: /)]);
  });

  test.each<[why: string, config: unknown, problem: RegExp]>([
    [
      'a branch and a tag',
      git({ branch: 'a', tag: 'b' }),
      /git\.tag: branch and tag are both set\. Use only one of branch/,
    ],
    ['an abbreviated commit', git({ commit: 'abc123' }), /git\.commit: use a complete commit id/],
    ['an option as its branch', git({ branch: '--upload-pack=x' }), /branch: use a name/],
    ['a path out of the repository', git({ path: 'a/../../b' }), /path: use a path inside/],
    ['an absolute path', git({ path: '/etc/passwd' }), /path: use a path inside/],
    [
      'a username without a password',
      git({ auth: { username: 'x' } }),
      /auth: set username and passwordFile/,
    ],
    [
      'two kinds of credentials',
      git({ auth: { username: 'x', passwordFile: 'a', sshKeyFile: 'b' } }),
      /auth: set username/,
    ],
    ['a path and a URL', fromUrl({ path: 'x' }), /file: set either path or url/],
    ['a password in a URL', fromUrl({ url: 'https://a:b@f.example/' }), /url: use a URL without/],
    ['a token for a path', registry({ file: { path: 'x', auth: { tokenFile: 't' } } }), /auth: /],
    [
      'a credential in the config',
      fromUrl({ headers: { 'X-API-Key': 'abc' } }),
      /headers\.X-API-Key: this header contains a credential\. .+ use \{file/,
    ],
    [
      'a header that Syncline sets itself',
      fromUrl({ headers: { Host: 'x' } }),
      /headers\.Host: Syncline sets this header itself\. Remove it/,
    ],
    ['a broken header', fromUrl({ headers: { 'X-A': 'a\r\nb' } }), /headers\.X-A: /],
    [
      'an unknown time zone',
      registry({ schedule: { pattern: '* * * * *', timezone: 'Mars' } }),
      /zone/,
    ],
    [
      'an invalid address range',
      { ...registry({}), network: { allow: ['10.0.0.0/33'] } },
      /allow\.0: use an/,
    ],
    [
      'two budgets for one host',
      {
        ...registry({}),
        network: {
          budgets: [
            { host: 'a', concurrency: 1 },
            { host: 'a', concurrency: 2 },
          ],
        },
      },
      /budgets\.1\.host: this host has several budgets\. Use one budget for each host/,
    ],
  ])('with %s is rejected', (_why, config, problem) => {
    expect(problems(config)).toContainEqual(expect.stringMatching(problem));
  });

  test('accepts a credential from a file and ranges of allowed addresses', () => {
    expect(
      problems(fromUrl({ headers: { 'X-API-Key': { file: './key' }, 'X-Team': 'a' } })),
    ).toEqual([]);
    expect(
      problems({
        ...registry({}),
        network: { allow: ['127.0.0.1/32', '::1', 'fd00::/8', 'git.corp.example', 'localhost'] },
      }),
    ).toEqual([]);
  });

  test('is described without its query, which may contain a credential', () => {
    const { registries } = configSchema.parse({
      registries: [...fromUrl({}).registries, { ...git({ tag: 'v1' }).registries[0], name: 'y' }],
    });
    expect(registries.map(describeSource)).toEqual([
      'https://f.example/r.json',
      'https://g.example/r.git@v1:registry.json',
    ]);
  });
});

test('a config that is parsed in steps is the same, and so are its problems', async () => {
  const registries = Array.from({ length: 250 }, (_, index) => ({
    name: `r-${index}`,
    file: { path: '/a.json' },
  }));
  const catalogs = [{ name: 'all', registries: ['r-1', 'r-249'] }];
  let pauses = 0;
  const pause = async () => {
    pauses += 1;
  };
  for (const input of [
    { registries, catalogs },
    { registries: [...registries, { name: 'R', file: {} }], surprise: 1 },
    { registries: [...registries, registries[0]] },
    { registries, catalogs: [{ name: 'all', registries: ['nobody'] }] },
    { registries: 'none' },
    { registries: [] },
    null,
  ]) {
    const { success, data, error } = await parseConfigInSteps(input, pause);
    const whole = configSchema.safeParse(input);
    expect({ success, data, issues: error?.issues }).toEqual({
      success: whole.success,
      data: whole.data,
      issues: whole.error?.issues,
    });
  }
  expect(pauses).toBeGreaterThan(2);
});
