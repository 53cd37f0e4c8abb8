import { expect, test } from 'vitest';
import { parseRepository } from './repository.ts';

test.each([
  ['https://git.example.com/mcp.git', 'https', 'git.example.com'],
  ['http://GIT.example.com.:8080/mcp', 'http', 'git.example.com'],
  ['https://[2001:db8::1]/mcp', 'https', '[2001:db8::1]'],
  ['https://0x7f.1/mcp', 'https', '127.0.0.1'],
])('%s is reached over %s at %s', (text, transport, hostname) => {
  const repository = parseRepository(text);
  expect(repository).toMatchObject({ transport, url: expect.objectContaining({ hostname }) });
});

test.each([
  ['ssh://git@git.example.com/mcp.git', 'git.example.com', 22],
  ['ssh://git@git.example.com:2222/mcp.git', 'git.example.com', 2222],
  ['ssh://git@[::1]:2222/mcp.git', '::1', 2222],
  ['git@git.example.com:team/mcp.git', 'git.example.com', 22],
  ['git.example.com:mcp.git', 'git.example.com', 22],
])('%s is reached over ssh at %s, port %i', (location, host, port) => {
  expect(parseRepository(location)).toMatchObject({ transport: 'ssh', location, host, port });
});

test.each([
  ['/srv/mcp.git', '/srv/mcp.git'],
  ['file:///srv/mcp.git', 'file:///srv/mcp.git'],
  ['mcp', `${process.cwd()}/mcp`],
])('%s is a local repository', (text, location) => {
  expect(parseRepository(text)).toMatchObject({ transport: 'file', location });
});

test.each([
  'ftp://git.example.com/mcp.git',
  'https://',
  'ssh://git@-oProxyCommand=x/mcp.git',
  'ssh://git@%2doProxyCommand=x/mcp.git',
  '-oProxyCommand=x:mcp.git',
  'git@a;b:mcp.git',
  'https://git.example.com/a\nb',
])('%j is refused', (text) => {
  expect(() => parseRepository(text)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
});
