import { SynclineError } from '@syncline/contract';
import { expect, test } from 'vitest';
import { envVariables, readEnv, unknownVariables } from './env.ts';

function messageOf(source: Record<string, string>): string {
  try {
    readEnv(source);
  } catch (error) {
    expect(error).toBeInstanceOf(SynclineError);
    expect(error).toMatchObject({ code: 'config-invalid' });
    return error instanceof Error ? error.message : '';
  }
  return 'nothing was thrown';
}

test('the environment has a default for every variable that needs one', () => {
  expect(readEnv({})).toEqual({
    prefix: 'syncline',
    configPath: './syncline.yaml',
    host: '127.0.0.1',
    port: 8080,
    logLevel: 'info',
    concurrency: 16,
    heavyRuns: 2,
    dataDir: '.syncline',
  });
});

test('an empty variable counts as unset', () => {
  const empty = Object.fromEntries(envVariables().map(({ name }) => [name, '']));
  expect(readEnv(empty)).toEqual(readEnv({}));
});

test('the command line overrides the environment, which overrides the defaults of a program', () => {
  const options = {
    defaults: { LOG_LEVEL: 'warn', PORT: '1', SYNCLINE_PREFIX: 'own' },
    overrides: { PORT: '3', SYNCLINE_CONFIG: undefined },
  };
  expect(
    readEnv({ PORT: '2', SYNCLINE_PREFIX: 'acme', SYNCLINE_CONFIG: 'a', LOG_LEVEL: '' }, options),
  ).toMatchObject({ logLevel: 'warn', port: 3, prefix: 'acme', configPath: 'a' });
});

test('every variable in the table is read', () => {
  const env = readEnv({
    REDIS_URL: 'rediss://user:pw@redis.example:6380/2',
    SYNCLINE_PREFIX: 'acme',
    SYNCLINE_CONFIG: '/etc/syncline/syncline.yaml',
    HOST: '0.0.0.0',
    PORT: '0',
    SYNCLINE_OPS_PORT: '9100',
    SYNCLINE_ADMIN_TOKEN_FILE: '/run/secrets/token',
    LOG_LEVEL: 'debug',
    SYNCLINE_CONCURRENCY: '64',
    SYNCLINE_HEAVY_RUNS: '4',
    SYNCLINE_DATA_DIR: '/var/lib/syncline',
    SYNCLINE_CREDENTIAL_DIRS: '/run/secrets',
    HTTPS_PROXY: 'http://user:pw@proxy.example:3128',
    HTTP_PROXY: 'https://proxy.example',
    NO_PROXY: '.corp.example,10.0.0.0/8',
  });
  expect(env).toEqual({
    redisUrl: 'rediss://user:pw@redis.example:6380/2',
    prefix: 'acme',
    configPath: '/etc/syncline/syncline.yaml',
    host: '0.0.0.0',
    port: 0,
    opsPort: 9100,
    adminTokenFile: '/run/secrets/token',
    logLevel: 'debug',
    concurrency: 64,
    heavyRuns: 4,
    dataDir: '/var/lib/syncline',
    credentialDirs: ['/run/secrets'],
    httpsProxy: 'http://user:pw@proxy.example:3128',
    httpProxy: 'https://proxy.example',
    noProxy: '.corp.example,10.0.0.0/8',
  });
  expect(Object.keys(env)).toHaveLength(envVariables().length);
});

test.each([
  ['PORT', '70000'],
  ['PORT', '80a'],
  ['SYNCLINE_OPS_PORT', '-1'],
  ['SYNCLINE_CONCURRENCY', '0'],
  ['SYNCLINE_HEAVY_RUNS', '1.5'],
  ['LOG_LEVEL', 'loud'],
  ['SYNCLINE_PREFIX', '{acme}'],
  ['REDIS_URL', 'http://redis.example'],
  ['REDIS_URL', 'redis+sentinel://user:hunter2@a,b'],
  ['HTTPS_PROXY', 'proxy.example:3128'],
  ['HTTP_PROXY', 'socks5://user:hunter2@proxy.example'],
])('an error names the invalid variable: %s=%s', (name, value) => {
  expect(messageOf({ [name]: value })).toMatch(new RegExp(`^${name}: (?:use|put) `));
});

test('REDIS_URL can name sentinels', () => {
  const url = 'redis+sentinel://:pw@a:26379,b:26379/main?sentinel_password=pw';
  expect(readEnv({ REDIS_URL: url }).redisUrl).toBe(url);
});

test('a lower-case proxy variable overrides the upper-case one, unless it is empty', () => {
  const source = {
    HTTPS_PROXY: 'http://upper.example',
    https_proxy: 'http://lower.example',
    HTTP_PROXY: 'http://upper.example',
    http_proxy: '',
    no_proxy: '*',
  };
  expect(readEnv(source)).toMatchObject({
    httpsProxy: 'http://lower.example',
    httpProxy: 'http://upper.example',
    noProxy: '*',
  });
});

test('one error names all invalid variables, and no value, because a value can be a secret', () => {
  const message = messageOf({
    REDIS_URL: 'http://user:hunter2@redis',
    PORT: 'x',
    https_proxy: 'ftp://user:hunter2@proxy',
  });
  expect(message.split('\n').map((line) => line.split(':')[0])).toEqual([
    'REDIS_URL',
    'PORT',
    'HTTPS_PROXY',
  ]);
  expect(message).not.toContain('hunter2');
});

test('each variable is listed with a description, and its default if it has one', () => {
  const variables = envVariables();
  expect(variables.every(({ description }) => description.length > 10)).toBe(true);
  expect(variables.find(({ name }) => name === 'PORT')?.default).toBe('8080');
  expect(variables.find(({ name }) => name === 'REDIS_URL')).not.toHaveProperty('default');
});

test('unknown variables with our prefix are found, except those that Kubernetes sets', () => {
  const known = Object.fromEntries(envVariables().map(({ name }) => [name, 'x']));
  const ofKubernetes = {
    SYNCLINE_SERVICE_HOST: '10.0.0.1',
    SYNCLINE_API_SERVICE_PORT_HTTP: '8080',
    SYNCLINE_API_PORT: 'tcp://10.0.0.1:8080',
    SYNCLINE_API_PORT_8080_TCP_ADDR: '10.0.0.1',
  };
  expect(unknownVariables({ ...known, ...ofKubernetes, PATH: '/bin', MY_SYNCLINE_X: '' })).toEqual(
    [],
  );
  expect(unknownVariables({ SYNCLINE_CREDENTIAL_DIR: '/a', syncline_prefix: 'b' })).toEqual([
    'SYNCLINE_CREDENTIAL_DIR',
  ]);
});

test('credential directories are a list of absolute paths', () => {
  const { credentialDirs } = readEnv({ SYNCLINE_CREDENTIAL_DIRS: '/run/secrets::/etc/syncline:' });
  expect(credentialDirs).toEqual(['/run/secrets', '/etc/syncline']);
  expect(messageOf({ SYNCLINE_CREDENTIAL_DIRS: '/run/secrets:secrets' })).toBe(
    'SYNCLINE_CREDENTIAL_DIRS: use absolute paths',
  );
});

test('hosts and trusted proxies are lists, separated by commas', () => {
  const { hosts, trustedProxies } = readEnv({
    SYNCLINE_HOSTS: 'mirror.example, localhost,::1,10.0.0.1,api_1',
    SYNCLINE_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8,::1,fd00::/8',
  });
  expect(hosts).toEqual(['mirror.example', 'localhost', '::1', '10.0.0.1', 'api_1']);
  expect(trustedProxies).toEqual(['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8']);
});

test.each([
  ['SYNCLINE_HOSTS', 'mirror.example:8080'],
  ['SYNCLINE_HOSTS', 'https://mirror.example'],
  ['SYNCLINE_HOSTS', '*.example'],
  ['SYNCLINE_HOSTS', 'a,,b'],
  ['SYNCLINE_TRUSTED_PROXIES', 'proxy.example'],
  ['SYNCLINE_TRUSTED_PROXIES', '10.0.0.0/33'],
  ['SYNCLINE_TRUSTED_PROXIES', '127.999.1.1'],
  ['SYNCLINE_TRUSTED_PROXIES', '*'],
])('%s with the value %s is an error', (name, value) => {
  expect(messageOf({ [name]: value })).toMatch(
    new RegExp(`^${name}: use .+, separated by commas$`),
  );
});
