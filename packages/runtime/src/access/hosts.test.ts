import { expect, test } from 'vitest';
import { createHostPolicy } from './hosts.ts';

function code(options: { host: string; hosts?: readonly string[] }, header?: string, path = '/v1') {
  const policy = createHostPolicy({ host: options.host, hosts: options.hosts });
  return policy.refuse(header, path)?.code;
}

test.each(['localhost', 'LOCALHOST:8080', '127.0.0.1:8080', '127.0.0.53', '[::1]:8080', '[::1]'])(
  'a process on a loopback address accepts the Host %s',
  (header) => {
    for (const host of ['127.0.0.1', '::1', 'localhost'])
      expect(code({ host }, header)).toBe(undefined);
  },
);

test.each([
  'evil.example:8080',
  '127.0.0.1.evil.example',
  '127.999.1.1',
  '127.0.0.256:8080',
  'evil-localhost',
  'localhost.evil.example',
  '192.168.1.5:8080',
  '127.0.0.1:8080:9090',
  '',
  undefined,
])('a process on a loopback address rejects the Host %j', (header) => {
  expect(code({ host: '127.0.0.1' }, header)).toBe('host-refused');
});

test.each(['0.0.0.0', '::', '192.168.1.5', 'example.com', '127.999.1.1'])(
  'a process on %s accepts any Host',
  (host) => {
    for (const header of ['mirror.example', '10.1.2.3:80', undefined]) {
      expect(code({ host }, header)).toBe(undefined);
    }
  },
);

test('with a list of names, only these names are accepted', () => {
  const options = { host: '0.0.0.0', hosts: ['Mirror.example', '::1'] };
  expect(code(options, 'mirror.example:443')).toBe(undefined);
  expect(code(options, '[::1]:8080')).toBe(undefined);
  for (const header of ['other.example', 'localhost:8080', 'x.mirror.example', undefined]) {
    expect(code(options, header)).toBe('host-refused');
    expect(code({ ...options, host: '127.0.0.1' }, header)).toBe('host-refused');
  }
});

test('probes may use the address of the process, or no Host', () => {
  for (const options of [{ host: '0.0.0.0', hosts: ['mirror.example'] }, { host: '127.0.0.1' }]) {
    for (const path of ['/health', '/readiness', '/metrics']) {
      expect(code(options, '10.1.2.3:8080', path)).toBe(undefined);
      expect(code(options, '[fd00::1]:8080', path)).toBe(undefined);
      expect(code(options, undefined, path)).toBe(undefined);
      expect(code(options, 'evil.example', path)).toBe('host-refused');
      expect(code(options, '127.999.1.1', path)).toBe('host-refused');
    }
    expect(code(options, '10.1.2.3:8080', '/v1/registries')).toBe('host-refused');
  }
});
