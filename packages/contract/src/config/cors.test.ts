import { expect, test } from 'vitest';
import { type ConfigInput, configSchema } from './config.ts';
import { corsSetting } from './cors.ts';

type Registry = ConfigInput['registries'][number];

const settings = (input: ConfigInput) => {
  const config = configSchema.parse(input);
  const names = [...config.registries, ...config.catalogs].map(({ name }) => name);
  return Object.fromEntries(names.map((name) => [name, corsSetting(config, name)]));
};
const settingOf = (registry: Omit<Registry, 'name'>) =>
  settings({ registries: [{ name: 'it', ...registry }] })['it'];

const tokenFile = '/secrets/token';
const endpoint = 'https://registry.example.com';

test.each<[string, Omit<Registry, 'name'>]>([
  ['a public api', { api: { endpoint, headers: { 'X-Team': 'a' } } }],
  ['a file', { file: { path: '/registry.json' } }],
  ['a public file at a URL', { file: { url: `${endpoint}/registry.json` } }],
  ['a public repository', { git: { repository: 'https://git.example.com/a.git' } }],
  ['a local repository', { git: { repository: '/srv/a.git' } }],
])('any page may read %s, unless the config forbids it', (_what, registry) => {
  expect(settingOf(registry)).toBe(true);
  expect(settingOf({ ...registry, cors: false })).toBe(false);
});

test.each<[string, Omit<Registry, 'name'>]>([
  ['an api with a token', { api: { endpoint, auth: { tokenFile } } }],
  ['an api with a secret header', { api: { endpoint, headers: { 'X-Key': { file: '/key' } } } }],
  ['a file with a token', { file: { url: `${endpoint}/registry.json`, auth: { tokenFile } } }],
  ['a URL whose query may be a credential', { file: { url: `${endpoint}/registry.json?key=1` } }],
  [
    'a repository with a password',
    { git: { repository: 'https://g.example/a', auth: { username: 'a', passwordFile: '/p' } } },
  ],
  ['a repository over ssh', { git: { repository: 'ssh://git@git.example.com/a.git' } }],
  ['a repository over ssh, as scp writes it', { git: { repository: 'git@git.example.com:a.git' } }],
])('no page of another origin may read %s, unless the config permits it', (_what, registry) => {
  expect(settingOf(registry)).toBe(false);
  expect(settingOf({ ...registry, cors: true })).toBe(true);
});

test('a catalog is as open as the least open of its registries', () => {
  const open = { name: 'open', file: { path: '/registry.json' } };
  const closed = { name: 'closed', api: { endpoint, auth: { tokenFile } } };
  expect(
    settings({
      registries: [open, closed],
      catalogs: [
        { name: 'public', registries: ['open'] },
        { name: 'mixed', registries: ['open', 'closed'] },
        { name: 'mixed-open', registries: ['open', 'closed'], cors: true },
        { name: 'public-closed', registries: ['open'], cors: false },
        { name: 'closed', registries: ['open'] },
      ],
    }),
  ).toEqual({
    open: true,
    closed: true,
    public: true,
    mixed: false,
    'mixed-open': true,
    'public-closed': false,
  });
});

test('a name that the config does not have has no setting', () => {
  const registries = [{ name: 'it', file: { path: '/registry.json' } }];
  expect(corsSetting(configSchema.parse({ registries }), 'other')).toBeUndefined();
});
