import { describe, expect, test } from 'vitest';
import { parseConfig } from './load-config.ts';
import { ConfigError } from './problem.ts';

/** Rejects each name that begins with `bad`. */
const noBadNames = ({ registries }: { registries: readonly { name: string }[] }) =>
  registries.flatMap(({ name }, index) =>
    name.startsWith('bad')
      ? [{ path: ['registries', index, 'name'], message: 'use a good name' }]
      : [],
  );

function mistakesIn(text: string): string[] {
  try {
    parseConfig('/etc/syncline/syncline.yaml', text, { checks: [noBadNames] });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
}

describe('an additional check', () => {
  test('reports the position and the value that it found', () => {
    const text = `registries:
  - { name: good, file: { path: x } }
  - { name: bad, file: { path: x } }
`;
    expect(mistakesIn(text)).toEqual([
      'syncline.yaml:3:13 registries[1].name: found "bad". Use a good name',
    ]);
  });

  test('reports together with the schema and the parser', () => {
    const text = `registries:
  - { name: bad, file: { path: x }, snapshots: 0, surprise: 1 }
  - { name: bad-2, file: { path: x }, file: { path: y } }
`;
    expect(mistakesIn(text)).toEqual([
      'syncline.yaml:2:13 registries[0].name: found "bad". Use a good name',
      expect.stringContaining('registries[0].snapshots: '),
      expect.stringContaining('registries[0].surprise: unknown key'),
      'syncline.yaml:3:13 registries[1].name: found "bad-2". Use a good name',
      expect.stringContaining('the key file appears twice. Remove one of them'),
    ]);
  });
});

test('a registry with both a schedule and an interval is invalid, whatever else is wrong', () => {
  const text = `registries:
  - name: one
    file: { path: x }
    syncPolicy: { interval: 5m, timeout: 1m }
    schedule: { pattern: 0 6 * * * }
  - { name: two, file: { path: x }, schedule: { pattern: 0 6 * * * }, syncPolicy: { timeout: 1m } }
  - { name: three, file: { path: x }, snapshots: none }
`;
  expect(mistakesIn(text)).toEqual([
    'syncline.yaml:5:15 registries[0].schedule: schedule and syncPolicy.interval are both set. Remove one of them',
    expect.stringContaining('registries[2].snapshots'),
  ]);
});

test('only file paths are resolved against the directory of the config file', () => {
  const { input } = parseConfig(
    '/etc/syncline/syncline.yaml',
    `registries:
  - name: file
    file: { path: ../registry.json }
  - name: url
    file:
      url: https://a.example/registry.json
      auth: { tokenFile: token }
      headers: { X-Team: ./acme, X-API-Key: { file: ./key } }
  - name: api
    api:
      endpoint: https://a.example/base
      auth: { tokenFile: /run/secrets/token }
      headers: { X-API-Key: { file: key } }
  - name: git
    git:
      repository: https://git.example/r.git
      path: folder/registry.json
      auth: { username: someone, passwordFile: password }
  - name: ssh
    git:
      repository: git@git.example:team/r.git
      auth: { sshKeyFile: ssh/id, knownHostsFile: ssh/known_hosts }
  - { name: ssh-url, git: { repository: ssh://git@git.example/r.git } }
  - { name: local, git: { repository: ../r } }
  - { name: here, git: { repository: . } }
  - { name: local-url, git: { repository: file:///srv/r.git } }
`,
  );
  expect(input.registries.map(({ name: _name, ...source }) => source)).toEqual([
    { file: { path: '/etc/registry.json' } },
    {
      file: {
        url: 'https://a.example/registry.json',
        auth: { tokenFile: '/etc/syncline/token' },
        headers: { 'X-Team': './acme', 'X-API-Key': { file: '/etc/syncline/key' } },
      },
    },
    {
      api: {
        endpoint: 'https://a.example/base',
        auth: { tokenFile: '/run/secrets/token' },
        headers: { 'X-API-Key': { file: '/etc/syncline/key' } },
      },
    },
    {
      git: {
        repository: 'https://git.example/r.git',
        path: 'folder/registry.json',
        auth: { username: 'someone', passwordFile: '/etc/syncline/password' },
      },
    },
    {
      git: {
        repository: 'git@git.example:team/r.git',
        auth: {
          sshKeyFile: '/etc/syncline/ssh/id',
          knownHostsFile: '/etc/syncline/ssh/known_hosts',
        },
      },
    },
    { git: { repository: 'ssh://git@git.example/r.git' } },
    { git: { repository: '/etc/r' } },
    { git: { repository: '/etc/syncline' } },
    { git: { repository: 'file:///srv/r.git' } },
  ]);
});
