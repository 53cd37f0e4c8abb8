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
      'config.yaml:1:1 database: has no effect: Syncline stores everything in Redis',
      'config.yaml:3:35 sources[0].format: has no effect: Syncline detects the format of a registry',
      'config.yaml:3:53 sources[0].claims: has no effect: everyone who can reach the api can read everything; also in sources[1].claims, registries[0].claims',
      'config.yaml:7:1 auth: has no effect: reading needs no login, and control needs the admin token',
      'config.yaml:8:1 telemetry: has no effect: Syncline serves its metrics at /metrics',
      'config.yaml:9:1 audit: has no effect: Syncline has no audit log',
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
      'config.yaml:2:22 sources[0].managed: skipped, because only ToolHive can fill a source of this kind',
      'config.yaml:3:22 sources[1].kubernetes: skipped, because only ToolHive can fill a source of this kind',
      expect.stringContaining('sources[1].claims'),
      'config.yaml:6:5 registries[0]: skipped, because all of its sources are skipped',
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
      'config.yaml:3:80 sources[1].syncPolicy.interval: found "0s". Use a duration of at least 1s',
      'config.yaml:4:13 sources[2].name: sources[1] has the name api too. Use a unique name',
      'config.yaml:4:61 sources[2].syncPolicy.interval: found the number 0. Use a duration such as 30s, 1h30m or 7d',
      'config.yaml:5:78 sources[3].git.tag: branch and tag are both set. Use only one of branch, tag and commit',
      expect.stringContaining('sources[3].git.comit: unknown key; did you mean commit?'),
      'config.yaml:6:5 sources[4]: found file and managed. Use exactly one of git, api, file, managed, kubernetes',
      expect.stringContaining(
        'sources[5]: none of file, git, api is set. Set exactly one of file, git, api',
      ),
      expect.stringContaining('registries[1].name: found "Default". Use 1 to 63 characters'),
      expect.stringContaining(
        'registries[1].sources[1]: there is no source gone. Use one of api, git, neither',
      ),
      expect.stringContaining(
        'registries[1].sources[2]: git is listed twice. List each source once',
      ),
      'config.yaml:11:1 databse: unknown key; did you mean database?',
      'config.yaml:12:1 surprise: unknown key. Use one of sources, registries, database, auth, telemetry, audit, registryName, network',
    ]);
  });

  test.each([
    [
      'no source',
      'sources: []',
      'config.yaml:1:10 sources: found a list of 0 items. List at least one source that Syncline can read',
    ],
    [
      'only sources that Syncline cannot read',
      'sources: [{ name: a, managed: {} }]',
      /sources: found a list of 0 items\. List at least one source that Syncline can read/,
    ],
    ['sources that are not a list', 'sources: 5', /sources: found the number 5\. Use a list/],
    ['an invalid source', 'sources: [a]', /sources\[0\]: found "a"\. Use a map/],
    [
      'registries that are not a list',
      'sources: [{ name: a, file: { path: a } }]\nregistries: {}',
      /2:13 registries: found a map\. Use a list/,
    ],
    [
      'a registry without sources',
      'sources: [{ name: a, file: { path: a } }]\nregistries: [{ name: b, sources: [] }]',
      /2:34 registries\[0\]\.sources: found a list of 0 items\. List the sources of the registry/,
    ],
    [
      'a Syncline registry among ToolHive registries',
      'sources: [{ name: a, file: { path: a } }]\nregistries: [{ name: b, file: { path: b } }]',
      /2:14 registries\[0\]\.sources: found nothing\. Use a list/,
    ],
    ['an empty value', 'sources:\n', /sources: found an empty value\. Use a list/],
  ])('is reported: %s', (_what, text, expected) => {
    expect(mistakesIn(text)[0]).toEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    );
  });
});
