import { describe, expect, test } from 'vitest';
import { parseConfig } from './load-config.ts';
import { ConfigError, formatProblem } from './problem.ts';

const parse = (text: string) => parseConfig('/etc/thv/config.yaml', text);

function mistakesIn(text: string): string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
}

const warningsOf = (text: string) => parse(text).warnings.map((it) => formatProblem(it));

const WHOLE = `
sources:
  - name: git
    git: { repository: https://g.example/r.git, tag: v1, auth: { username: me, passwordFile: /run/p } }
    syncPolicy: { interval: 30m }
  - name: api
    api: { endpoint: https://a.example/, timeout: 20s }
    syncPolicy: { interval: 1h30m }
    filter: { names: { include: [a*], exclude: [b] }, tags: { include: [x], exclude: [y] } }
  - { name: url, file: { url: https://f.example/r.json, timeout: 5s }, syncPolicy: { interval: 5m } }
  - { name: default, file: { path: data/r.json }, syncPolicy: { interval: 5m } }
registries:
  - { name: default, sources: [default, api, git] }
  - { name: one, sources: [url] }
`;

describe('a ToolHive config', () => {
  test('becomes ours: sources are registries, and registries are catalogs', () => {
    const ours = `
registries:
  - name: git
    git:
      repository: https://g.example/r.git
      tag: v1
      path: registry.json
      auth: { username: me, passwordFile: /run/p }
    syncPolicy: { interval: 30m }
  - name: api
    api: { endpoint: https://a.example/, timeout: 20s }
    syncPolicy: { interval: 1h30m }
    filter: { names: { include: [a*], exclude: [b] }, tags: { include: [x], exclude: [y] } }
  - { name: url, file: { url: https://f.example/r.json, timeout: 5s }, syncPolicy: { interval: 5m } }
  - { name: default, file: { path: /etc/thv/data/r.json }, syncPolicy: { interval: 5m } }
catalogs:
  - { name: default, registries: [default, api, git] }
  - { name: one, registries: [url] }
`;
    expect(parse(WHOLE).config).toEqual(parse(ours).config);
    expect(parse(WHOLE).warnings).toEqual([]);
  });

  test('needs no registries', () => {
    const { config } = parse('sources: [{ name: a, file: { path: a } }]');
    expect(config.catalogs).toEqual([]);
  });

  test('can also have Syncline keys: the network, and options of a registry', () => {
    const { config } = parse(`
sources: [{ name: a, file: { path: a }, staleAfter: 1h, guard: { allowEmpty: true } }]
registries: [{ name: all, sources: [a], filter: { tags: { include: [x] } } }]
network: { allow: [10.0.0.0/8] }
`);
    expect(config.registries[0]).toMatchObject({ staleAfter: 3_600_000 });
    expect(config.catalogs[0]?.filter.tags.include).toEqual(['x']);
    expect(config.network.allow).toEqual(['10.0.0.0/8']);
  });
});

describe('the conversion of a ToolHive config', () => {
  test('warns once about each setting that does not apply, with its positions', () => {
    const text = `database: { host: x, port: 1 }
sources:
  - { name: a, file: { path: a }, format: upstream, claims: { team: x } }
  - { name: b, file: { path: b }, claims: { team: y } }
registries:
  - { name: all, sources: [a, b], claims: { team: x } }
auth: { mode: oauth }
telemetry: { enabled: true }
audit: { enabled: true }
`;
    expect(warningsOf(text)).toEqual([
      'config.yaml:1:1 database: does not apply: everything is kept in Redis',
      'config.yaml:3:35 sources[0].format: does not apply: the format of a registry is detected',
      'config.yaml:3:53 sources[0].claims: does not apply: everyone who can reach the api can read everything; also in sources[1].claims, registries[0].claims',
      'config.yaml:7:1 auth: does not apply: reading is open, and control needs the admin token',
      'config.yaml:8:1 telemetry: does not apply: metrics are at /metrics',
      'config.yaml:9:1 audit: does not apply: there is no audit log',
    ]);
  });

  test('skips sources that Syncline cannot read, and registries that have only such sources', () => {
    const text = `sources:
  - { name: managed, managed: {} }
  - { name: cluster, kubernetes: { namespaces: [a] }, claims: { a: b } }
  - { name: file, file: { path: a }, syncPolicy: { interval: 5m } }
registries:
  - { name: none, sources: [managed, cluster] }
  - { name: some, sources: [managed, file] }
`;
    expect(parse(text).config).toMatchObject({
      registries: [{ name: 'file' }],
      catalogs: [{ name: 'some', registries: ['file'] }],
    });
    expect(warningsOf(text)).toEqual([
      'config.yaml:2:22 sources[0].managed: is skipped: ToolHive fills a source of this kind itself',
      'config.yaml:3:22 sources[1].kubernetes: is skipped: ToolHive fills a source of this kind itself',
      expect.stringContaining('sources[1].claims'),
      'config.yaml:6:5 registries[0]: is skipped, because all of its sources are',
    ]);
  });
});

describe('an error in a ToolHive config', () => {
  test('is reported in ToolHive terms, with ToolHive positions', () => {
    expect(
      mistakesIn(`sources:
  - { name: managed, managed: {} }
  - { name: api, api: { endpoint: https://a.example }, syncPolicy: { interval: "0s" } }
  - { name: api, file: { path: a }, syncPolicy: { interval: 0 } }
  - { name: git, git: { repository: https://g.example/r.git, branch: a, tag: b, comit: c } }
  - { name: two, file: { path: a }, managed: {} }
  - { name: neither }
registries:
  - { name: none, sources: [managed] }
  - { name: Default, sources: [git, gone, git] }
databse: { host: x }
surprise: 1
`),
    ).toEqual([
      'config.yaml:3:80 sources[1].syncPolicy.interval: expected a duration of at least 1s, found "0s"',
      'config.yaml:4:13 sources[2].name: expected a unique name, but sources[1] is called api too',
      'config.yaml:4:61 sources[2].syncPolicy.interval: expected a duration such as 30s, 1h30m or 7d, found the number 0',
      'config.yaml:5:78 sources[3].git.tag: expected one of branch, tag and commit, but branch and tag are given'.replace(
        '78',
        '78',
      ),
      expect.stringContaining('sources[3].git.comit: unknown key; did you mean commit?'),
      'config.yaml:6:5 sources[4]: expected exactly one of git, api, file, managed, kubernetes, found file and managed',
      expect.stringContaining(
        'sources[5]: expected exactly one source (file, git, api), found none',
      ),
      expect.stringContaining('registries[1].name: expected 1 to 63 characters'),
      expect.stringContaining(
        'registries[1].sources[1]: expected the name of a source in this file (api, git, neither), found gone',
      ),
      expect.stringContaining(
        'registries[1].sources[2]: expected each source once, but git is named before',
      ),
      'config.yaml:11:1 databse: unknown key; did you mean database?',
      'config.yaml:12:1 surprise: unknown key; expected one of sources, registries, database, auth, telemetry, audit, registryName, network',
    ]);
  });

  test.each([
    [
      'no source',
      'sources: []',
      'config.yaml:1:10 sources: expected at least one source that can be read, found a list of 0 items',
    ],
    [
      'only sources that Syncline cannot read',
      'sources: [{ name: a, managed: {} }]',
      /sources: expected at least one source that can be read/,
    ],
    ['sources that are not a list', 'sources: 5', /sources: expected a list, found the number 5/],
    ['an invalid source', 'sources: [a]', /sources\[0\]: expected a map, found "a"/],
    [
      'registries that are not a list',
      'sources: [{ name: a, file: { path: a } }]\nregistries: {}',
      /2:13 registries: expected a list/,
    ],
    [
      'a registry without sources',
      'sources: [{ name: a, file: { path: a } }]\nregistries: [{ name: b, sources: [] }]',
      /2:34 registries\[0\]\.sources: expected the name of at least one source, found/,
    ],
    [
      'a Syncline registry among ToolHive registries',
      'sources: [{ name: a, file: { path: a } }]\nregistries: [{ name: b, file: { path: b } }]',
      /2:14 registries\[0\]\.sources: expected a list, found nothing/,
    ],
    ['an empty value', 'sources:\n', /sources: expected a list, found an empty value/],
  ])('is reported: %s', (_what, text, expected) => {
    expect(mistakesIn(text)[0]).toEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    );
  });
});
