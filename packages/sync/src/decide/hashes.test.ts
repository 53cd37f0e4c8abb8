import { configSchema, derivedRegistry } from '@syncline/contract';
import { expect, test } from 'vitest';
import { sourceHash } from './should-sync.ts';

const COMMIT = 'c'.repeat(40);
const REPOSITORY = 'https://git.example.com/mcp.git';
const URL_OF_FILE = 'https://mcp.example.com/r.json?key=1';

function registryOf(source: object) {
  const { registries } = configSchema.parse({ registries: [{ name: 'team', ...source }] });
  const [registry] = registries;
  if (registry === undefined) throw new Error('expected a registry');
  return registry;
}

// Statuses in Redis carry these: another value makes every registry read its upstream again.
test.each([
  ['fe17ed3fde22d916', { file: { path: '/srv/registry.json' } }],
  ['5228877564ab0028', { file: { url: URL_OF_FILE } }],
  [
    'e7a1b35187aa98aa',
    { file: { url: URL_OF_FILE, headers: { Accept: 'a/b', 'X-Key': { file: '/k' } } } },
  ],
  ['5228877564ab0028', { file: { url: URL_OF_FILE, auth: { tokenFile: '/t' }, timeout: '5s' } }],
  ['548d66b5901b1201', { api: { endpoint: 'https://api.example.com/' } }],
  [
    '42b77457dde4a4b8',
    { api: { endpoint: 'https://api.example.com/', headers: { 'X-Team': 'a' } } },
  ],
  ['401c4f66cfcf97c1', { git: { repository: REPOSITORY } }],
  ['6fa968d68b7c55fc', { git: { repository: REPOSITORY, branch: 'main', path: 'registry' } }],
  ['e97b1c981e6d6766', { git: { repository: REPOSITORY, tag: 'v1', auth: { sshKeyFile: '/k' } } }],
  ['a4082575d160be1b', { git: { repository: 'git@host:mcp.git', commit: COMMIT } }],
])('%s is the hash of %j', (hash, source) => {
  expect(sourceHash(registryOf(source))).toBe(hash);
});

test('a catalog is hashed by its members in order', () => {
  const { catalogs } = configSchema.parse({
    registries: ['a', 'b'].map((name) => ({ name, file: { path: '/a' } })),
    catalogs: [{ name: 'all', registries: ['a', 'b'] }],
  });
  expect(catalogs.map(derivedRegistry).map(sourceHash)).toEqual(['1e0040026ae18037']);
});
