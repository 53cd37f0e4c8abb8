import { execFile } from 'node:child_process';
import { chmod, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig, parseConfig } from './load-config.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-bad-'));
  path = join(directory, 'syncline.yaml');
});
afterEach(() => rm(directory, { recursive: true }));

const messageFor = (file: string) =>
  loadConfig(file).then(
    () => 'it was read',
    (error: unknown) => (error instanceof Error ? error.message : ''),
  );

const inRegistry = (options: string) => `registries:
  - name: one
    file: { path: x }
    ${options}
`;

describe('an invalid value is reported with its position', () => {
  test.each([
    [
      'a wrong type',
      'suspended: yes please',
      '4:16 registries[0].suspended: found "yes please". Use true or false',
    ],
    ['an unknown key', 'tiemout: 5s', '4:5 registries[0].tiemout: unknown key. Use one of'],
    [
      'an interval of 0',
      'syncPolicy: { interval: 0s }',
      '4:29 registries[0].syncPolicy.interval: found "0s". Use a duration of at least 1s',
    ],
    [
      'a 0 without a unit',
      'syncPolicy: { interval: 0 }',
      '4:29 registries[0].syncPolicy.interval: found the number 0. Use a duration such as 30s, 1h30m or 7d',
    ],
    [
      'a negative interval',
      'syncPolicy: { interval: -5m }',
      '4:29 registries[0].syncPolicy.interval: found "-5m". Use a duration such as 30s, 1h30m or 7d',
    ],
    [
      'an unknown unit',
      'syncPolicy: { interval: 1 fortnight }',
      '4:29 registries[0].syncPolicy.interval: found "1 fortnight". Use a duration such as 30s, 1h30m or 7d',
    ],
    [
      'an infinite interval',
      'syncPolicy: { interval: .inf }',
      '4:29 registries[0].syncPolicy.interval: found the number Infinity. Use a duration such as 30s, 1h30m or 7d',
    ],
    [
      'an unknown time zone',
      'schedule: { pattern: 0 6 * * *, timezone: Mars }',
      '4:47 registries[0].schedule.timezone: found "Mars". Use the name of a time zone such as Europe/Berlin',
    ],
  ])('%s', (_what, options, expected) => {
    expect(() => parseConfig('syncline.yaml', inRegistry(options))).toThrow(
      `syncline.yaml:${expected}`,
    );
  });
});

test.each([
  ['X: 1', 'X: found a number. Use text or {file: …}'],
  ['X: { fil: a }', 'X: found a map. Use text or {file: …}'],
  ['X: "a\\nb"', 'X: found some text. Use printable ASCII characters only'],
  ['X Y: a', 'X Y: found some text. Use a valid header name'],
  ['Host: a', 'Host: Syncline sets this header itself. Remove it'],
])('an invalid header is reported with its position: %s', (header, expected) => {
  const text = `registries:
  - name: one
    api:
      endpoint: https://a.example
      headers: { ${header} }
`;
  expect(() => parseConfig('syncline.yaml', text)).toThrow(
    `syncline.yaml:5:${20 + header.indexOf(':')} registries[0].api.headers.${expected}`,
  );
});

test('an error about a secret in a wrong field does not contain the secret', () => {
  const secret = 'hunter2';
  for (const source of [
    `api: { endpoint: "ftp://${secret}:${secret}@a.example/?x=${secret}" }`,
    `api: { endpoint: "https://a.example/?token=${secret}" }`,
    `file: { url: "https://a.example/#${secret}" }`,
    `git: { repository: "https://me:${secret}/x@a.example/r.git" }`,
    `git: { repository: "ext::me:${secret}@a.example" }`,
    `git: { repository: https://a.example/r.git, auth: ${secret} }`,
    `api: { endpoint: https://a.example, auth: { token: ${secret} } }`,
    `api: { endpoint: https://a.example, headers: { Authorization: Bearer ${secret}é } }`,
    `api: { endpoint: https://a.example, headers: [${secret}] }`,
  ]) {
    const text = `registries:\n  - { name: one, ${source} }\n`;
    let message = '';
    try {
      parseConfig('syncline.yaml', text);
    } catch (error) {
      message = error instanceof Error ? error.message : '';
    }
    expect(message).toMatch(/^syncline\.yaml:2:/);
    expect(message).not.toContain(secret);
  }
});

describe('the encoding of a config file', () => {
  test.each<[what: string, bytes: Uint8Array, place: string]>([
    ['a byte in Latin-1', Buffer.from('registries:\n  - name: caf\xe9\n', 'latin1'), '2:14'],
    ['a truncated character', Buffer.from('registries: é').subarray(0, -1), '1:13'],
    ['UTF-16', Buffer.from('\uFEFFregistries: []', 'utf16le'), '1:1'],
    ['a NUL character', Buffer.from('registries: \0'), '1:13'],
    ['only zero bytes', Buffer.alloc(100), '1:1'],
  ])('is rejected if it has %s', async (_what, bytes, place) => {
    await writeFile(path, bytes);
    expect(await messageFor(path)).toBe(
      `syncline.yaml:${place}: found other bytes. Use text in UTF-8`,
    );
  });

  test('can begin with a byte order mark', async () => {
    await writeFile(path, `\uFEFF${inRegistry('snapshots: 1')}`);
    const { config } = await loadConfig(path);
    expect(config.registries).toHaveLength(1);
  });

  test('can contain a replacement character', async () => {
    await writeFile(path, inRegistry('filter: { tags: { include: ["\uFFFD"] } }'));
    expect((await loadConfig(path)).config.registries[0]?.filter.tags.include).toEqual(['\uFFFD']);
  });
});

describe('a config beyond the limits', () => {
  test('of 50 MB is rejected', async () => {
    await writeFile(path, '');
    await truncate(path, 50_000_000);
    expect(await messageFor(path)).toMatch(
      /found 50000000 bytes\. Use a file of at most 5000000 bytes$/,
    );
  });

  test('from an endless device is rejected', async () => {
    expect(await messageFor('/dev/zero')).toMatch(
      /found more than 5000000 bytes\. Use a file of at most 5000000 bytes$/,
    );
  });

  test.each([
    ['lists of lists', (below: string) => `[${`*${below}, `.repeat(20)}]`],
    [
      'maps of maps',
      (below: string) => `{${[...'abcdefghij'].map((key) => `${key}: *${below}`).join(', ')}}`,
    ],
  ])('with aliases that expand exponentially is rejected: %s', (_what, level) => {
    const levels = Array.from({ length: 20 }, (_, index) => {
      const value = index === 0 ? '[x, x]' : level(`l${index - 1}`);
      return `l${index}: &l${index} ${value}`;
    });
    expect(() => parseConfig('syncline.yaml', levels.join('\n'))).toThrow(
      'found aliases that expand to too many nodes. Use at most 100 aliased nodes',
    );
  });

  test('with an anchor that contains itself is rejected', () => {
    for (const text of [
      'registries: &all [*all]',
      'registries: &all { <<: *all }',
      inRegistry('filter: &f { names: *f }'),
    ]) {
      expect(() => parseConfig('syncline.yaml', text)).toThrow(/^syncline\.yaml:\d+:\d+/);
    }
  });
});

test('a file without read permission is reported', async () => {
  await writeFile(path, inRegistry('snapshots: 1'));
  await chmod(path, 0o000);
  await chmod(directory, 0o755);
  // Root may read everything. The child becomes another user only after its imports, because that user
  // may be unable to enter the project's folder.
  const program = `import { loadConfig } from ${JSON.stringify(import.meta.resolve('./load-config.ts'))};
    if (process.getuid?.() === 0) process.setuid(65_534);
    await loadConfig(${JSON.stringify(path)}).catch((error) => console.log(error.message));`;
  const tried = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    program,
  ]);
  expect(tried.stdout.trim()).toBe(
    `cannot use the config file ${path}: found a file without read permission. Use a readable file, and set its path with --config or SYNCLINE_CONFIG`,
  );
});

test('a file that is being written is read only when it is complete', async () => {
  const whole = `${inRegistry('snapshots: 1')}  - { name: two, file: { path: y } }\n`;
  const half = inRegistry('snapshots: 1');
  const writer = await open(path, 'w');
  await writer.write(half);
  const loading = loadConfig(path);
  await writer.write(whole.slice(half.length));
  await writer.close();
  expect((await loading).config.registries).toHaveLength(2);
});
