import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig, parseConfig } from './load-config.ts';
import { ConfigError } from './problem.ts';
import { CONFIG_MAX_BYTES } from './read-document.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-config-'));
});
afterEach(() => rm(directory, { recursive: true }));

const VALID = `
registries:
  - name: local
    file: { path: ./registry.json }
`;

async function write(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

/** Returns the lines of the error. Each must begin with the name of the file. */
function mistakesIn(text: string, file = 'syncline.yaml'): string[] {
  try {
    parseConfig(join(directory, file), text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe('config-invalid');
    expect(error.problems.length).toBe(error.message.split('\n').length);
    return error.message.split('\n').map((line) => {
      expect(line.startsWith(`${file}:`)).toBe(true);
      return line.slice(file.length + 1);
    });
  }
  return [];
}

describe('a valid config', () => {
  test('is returned parsed and as written, with its digest', async () => {
    const path = await write('syncline.yaml', VALID);
    const loaded = await loadConfig(path);
    expect(loaded.path).toBe(path);
    expect(loaded.config.registries[0]).toMatchObject({
      name: 'local',
      file: { path: join(directory, 'registry.json') },
      syncPolicy: { interval: 3_600_000 },
    });
    expect(loaded.input).toEqual({
      registries: [{ name: 'local', file: { path: join(directory, 'registry.json') } }],
    });
    expect(loaded.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  test('has a digest that depends on its contents, not on its formatting', async () => {
    const yaml = parseConfig(join(directory, 'a.yaml'), VALID);
    const json = parseConfig(
      join(directory, 'a.json'),
      '{\n\t"registries": [{"file": {"path": "registry.json"}, "name": "local"}]\n}',
    );
    const other = parseConfig(join(directory, 'a.yaml'), VALID.replace('local', 'other'));
    expect(json.digest).toBe(yaml.digest);
    expect(other.digest).not.toBe(yaml.digest);
  });

  test('keeps absolute paths, and resolves relative ones against the folder of a symbolic link', async () => {
    await mkdir(join(directory, 'data'));
    await write('data/syncline.yaml', `${VALID}  - { name: far, file: { path: /srv/far.json } }\n`);
    await symlink(join(directory, 'data/syncline.yaml'), join(directory, 'link.yaml'));
    const { input } = await loadConfig(join(directory, 'link.yaml'));
    expect(input.registries.map(({ file }) => file?.path)).toEqual([
      join(directory, 'registry.json'),
      '/srv/far.json',
    ]);
  });

  test('has tokens with absolute paths and unique names', () => {
    const tokens = (...lines: string[]) =>
      parseConfig(
        join(directory, 'syncline.yaml'),
        `${VALID}access:\n  tokens:\n${lines.map((line) => `    - ${line}\n`).join('')}`,
      ).config.access.tokens;
    expect(
      tokens(
        '{ name: ci, role: operate, tokenFile: ./ci.token }',
        '{ name: ops, role: read, tokenFile: /run/secrets/ops }',
      ),
    ).toEqual([
      { name: 'ci', role: 'operate', tokenFile: join(directory, 'ci.token') },
      { name: 'ops', role: 'read', tokenFile: '/run/secrets/ops' },
    ]);
    for (const [line, message] of [
      ['{ name: admin, role: read, tokenFile: a }', 'belongs to the token in SYNCLINE_ADMIN'],
      ['{ name: ci, role: write, tokenFile: a }', 'Use read or operate'],
      ['{ name: ci, role: read }', 'tokenFile'],
      ['{ name: ci, role: read, token: secret }', 'token: unknown key'],
    ] as const) {
      expect(() => tokens(line), line).toThrow(message);
    }
    const twice = '{ name: ci, role: read, tokenFile: a }';
    expect(() => tokens(twice, twice)).toThrow('tokens[0] has the name ci too');
  });

  test('can use anchors, aliases and merge keys', () => {
    const { config } = parseConfig(
      'syncline.yaml',
      `
registries:
  - &one { name: one, syncPolicy: &often { interval: 5s }, file: { path: one.json } }
  - { <<: *one, name: two }
  - { name: three, syncPolicy: *often, file: { path: three.json } }
`,
    );
    expect(config.registries.map(({ name, syncPolicy }) => [name, syncPolicy.interval])).toEqual([
      ['one', 5_000],
      ['two', 5_000],
      ['three', 5_000],
    ]);
  });
});

describe('a config error', () => {
  test('is reported with all others, each with its position, in file order', () => {
    expect(
      mistakesIn(`registries:
  - name: Official
    api:
      endpoint: ftp://user:hunter2@example.com
      timeout: 5
    syncPolicy:
      intervall: 1h
      interval: 1 hour
    guard:
    snapshots: 500
    surprise: 1
  - file: { path: ./x.json }
  - just text
catalogs:
  - { name: default, registries: [] }
`),
    ).toEqual([
      '2:11 registries[0].name: found "Official". Use 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit',
      '4:17 registries[0].api.endpoint: found "ftp://…@example.com". Use an http or https URL',
      '4:17 registries[0].api.endpoint: found "ftp://…@example.com". Use a URL without user, password or fragment',
      '5:16 registries[0].api.timeout: found the number 5. Use a duration such as 30s, 1h30m or 7d',
      '7:7 registries[0].syncPolicy.intervall: unknown key; did you mean interval?',
      '8:17 registries[0].syncPolicy.interval: found "1 hour". Use a duration such as 30s, 1h30m or 7d',
      '9:11 registries[0].guard: found an empty value. Use a map',
      '10:16 registries[0].snapshots: found the number 500. Use a number of at most 100',
      '11:5 registries[0].surprise: unknown key. Use one of name, file, git, api, syncPolicy, schedule, staleAfter, filter, guard, snapshots, limits, suspended, cors',
      '12:5 registries[1].name: found nothing. Use text',
      '13:5 registries[2]: found "just text". Use a map',
      '15:34 catalogs[0].registries: found a list of 0 items. List the registries of the catalog',
    ]);
  });

  test('that involves several values is reported even if another value has a wrong type', () => {
    expect(
      mistakesIn(`registries:
  - { name: one, file: { path: one.json }, snapshots: many }
  - { name: one, file: { path: two.json } }
catalogs:
  - { name: default, registries: [three] }
`),
    ).toEqual([
      '2:55 registries[0].snapshots: found "many". Use a number',
      '3:13 registries[1].name: registries[0] has the name one too. Use a unique name',
      '5:35 catalogs[0].registries[0]: there is no registry three. Use one of one',
    ]);
  });

  test('for a misspelt key is not followed by one for the missing key', () => {
    expect(mistakesIn('registries:\n  - { name: one, fil: { path: one.json } }\n')).toEqual([
      '2:18 registries[0].fil: unknown key; did you mean file?',
    ]);
  });

  test('for a key in the wrong block names the right block', () => {
    expect(mistakesIn('registries:\n  - { name: one, file: { path: x }, interval: 5m }\n')).toEqual(
      ['2:37 registries[0].interval: unknown key; did you mean syncPolicy.interval?'],
    );
  });

  test('behind an alias is reported at the position of the anchor', () => {
    expect(
      mistakesIn(`registries:
  - { name: one, file: &file { pth: x } }
  - { name: two, file: *file }
`),
    ).toEqual([
      '2:32 registries[0].file.pth: unknown key; did you mean path?',
      '2:32 registries[1].file.pth: unknown key; did you mean path?',
    ]);
  });

  test('does not contain possible credentials', () => {
    const told = mistakesIn(`registries:
  - { name: one, file: { url: "https://u:hunter2@h.example/?key=hunter2", auth: hunter2 } }
  - { name: two, api: { endpoint: "https://h.example/?key=hunter2", headers: { X-Key: hunter2 } } }
  - { name: three, api: { endpoint: "https://h.example", auth: { tokenFile: 123456 } } }
`);
    expect(told.join('\n')).not.toMatch(/hunter2|123456/);
    expect(told).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/file\.auth: found some text\. Use a map$/),
        expect.stringMatching(
          /endpoint: found "https:\/\/h\.example\/\?…"\. Use a URL without a query$/,
        ),
        expect.stringMatching(/auth\.tokenFile: found a number\. Use text$/),
      ]),
    );
  });

  test('has the details as fields too', () => {
    try {
      parseConfig('/etc/syncline.yaml', `${VALID}    snapshot: 1\n`);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        problems: [
          {
            file: '/etc/syncline.yaml',
            line: 5,
            column: 5,
            path: 'registries[0].snapshot',
            found: 'snapshot',
            suggestion: 'snapshots',
          },
        ],
      });
    }
  });
});

describe('text that is not a config is rejected if it', () => {
  test.each([
    ['has an unclosed list', 'registries: [', /^1:14: Flow sequence/],
    ['is indented with a tab', 'registries:\n\t- name: x', /^2:1: Tabs are not allowed/],
    ['has an unknown tag', 'registries: !!python/none x', /^1:13: Unresolved tag/],
    ['has an unknown alias', 'registries: *nowhere', /Unresolved alias.*nowhere/],
    [
      'has two documents',
      `${VALID}---\n${VALID}`,
      /^5:1: found a second document\. Use one document/,
    ],
    ['is empty', '', /^1:1: found an empty value\. Use a map/],
    ['is a list', '- name: x', /^1:1: found a list of 1 item\. Use a map/],
    [
      'is nested too deep',
      '['.repeat(50_000),
      /^1:\d+: found too many levels of blocks\. Use fewer levels/,
    ],
  ])('%s', (_what, text, expected) => {
    expect(mistakesIn(text)[0]).toMatch(expected);
  });

  test('has a duplicate key, and further errors are reported too', () => {
    expect(mistakesIn(`${VALID}    name: again\n    snapshots: 0\n`)).toEqual([
      '5:5: the key name appears twice. Remove one of them',
      '6:16 registries[0].snapshots: found the number 0. Use a number of at least 1',
    ]);
  });

  test('has aliases that expand beyond the memory', () => {
    const levels = Array.from({ length: 12 }, (_, level) =>
      level === 0
        ? 'l0: &l0 [x]'
        : `l${level}: &l${level} [${`*l${level - 1},`.repeat(9).slice(0, -1)}]`,
    );
    expect(mistakesIn(levels.join('\n'))).toEqual([
      '1:1: found aliases that expand to too many nodes. Use at most 100 aliased nodes',
    ]);
  });
});

describe('a file is rejected', () => {
  const messageFor = (path: string) =>
    loadConfig(path).then(
      () => 'it was read',
      (error: unknown) => {
        expect(error).toMatchObject({ code: 'config-unreadable', problems: [{ file: path }] });
        return error instanceof Error ? error.message : '';
      },
    );

  test('if it is missing', async () => {
    const path = join(directory, 'nowhere.yaml');
    expect(await messageFor(path)).toBe(
      `cannot use the config file ${path}: found no file. Use a readable file, and set its path with --config or SYNCLINE_CONFIG`,
    );
  });

  test('if it is a directory', async () => {
    expect(await messageFor(directory)).toMatch(/found a directory\. Use a file$/);
  });

  test('if the file is too large', async () => {
    const path = await write('large.yaml', '#'.repeat(CONFIG_MAX_BYTES + 1));
    expect(await messageFor(path)).toMatch(
      /found 5000001 bytes\. Use a file of at most 5000000 bytes$/,
    );
  });
});
