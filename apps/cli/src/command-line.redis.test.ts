import path from 'node:path';
import { VERSION } from '@syncline/runtime';
import { projectRoot, temporaryDirectory, writeConfig } from '@syncline/test/support';
import { expect, test } from 'vitest';
import { syncline } from './testing/syncline.ts';

test('a good config is said to be so', async () => {
  const file = path.join('examples', 'quickstart.yaml');
  expect(await syncline(['validate', file], { directory: projectRoot })).toEqual({
    code: 0,
    text: 'examples/quickstart.yaml: valid: 3 registries, 1 catalog',
  });
});

test('every problem of a config is told with its place, and the status is 2', async () => {
  const config = await writeConfig({ registries: [] });
  await config.replaceText(
    [
      'registries:',
      '  - name: Local',
      '    file: { path: ./registry.json }',
      '    syncPolicy: { intervall: 5m }',
    ].join('\n'),
  );
  const { code, text } = await syncline(['validate', config.path]);
  expect(code).toBe(2);
  expect(text.split('\n')).toEqual([
    expect.stringMatching(/^syncline\.yaml:2:\d+ registries\[0\]\.name: /),
    expect.stringMatching(/^syncline\.yaml:4:\d+ .*intervall.*did you mean interval\?$/),
  ]);
});

test('what only a check can find is told with its place as well', async () => {
  const { path: file } = await writeConfig({
    registries: [
      {
        name: 'one',
        file: { path: './one.json' },
        schedule: { pattern: '0 0 30 2 *' },
        filter: { names: { include: ['io.github.{a'] } },
      },
    ],
  });
  const { code, text } = await syncline(['validate', file]);
  expect(code).toBe(2);
  expect(text.split('\n')).toEqual([
    expect.stringMatching(/^syncline\.yaml:9:\d+ registries\[0\]\.schedule\.pattern: .*no day/),
    expect.stringMatching(/^syncline\.yaml:\d+:\d+ .*include\[0\]: expected a glob/),
  ]);
});

test('a config of ToolHive is a good one, with warnings', async () => {
  const file = path.join('examples', 'toolhive.yaml');
  const { code, text } = await syncline(['validate', file], { directory: projectRoot });
  expect(code).toBe(0);
  const lines = text.split('\n');
  expect(lines.at(-1)).toBe('examples/toolhive.yaml: valid: 3 registries, 1 catalog');
  expect(lines).toContainEqual(expect.stringMatching(/^warning: toolhive\.yaml:46:1 database: /));
});

test('--config comes before SYNCLINE_CONFIG', async () => {
  const { path: file } = await writeConfig({
    registries: [{ name: 'one', file: { path: './one.json' } }],
  });
  const env = { SYNCLINE_CONFIG: '/none' };
  expect(await syncline(['validate', '--config', file], { env })).toMatchObject({ code: 0 });
});

test('a file that is not there ends with 2', async () => {
  const directory = await temporaryDirectory();
  const { code, text } = await syncline(['validate'], { directory });
  expect(code).toBe(2);
  expect(text).toContain('syncline.yaml');
});

test('bad usage ends with 2', async () => {
  expect(await syncline(['runs', 'local', '--limit', 'none'])).toEqual({
    code: 2,
    text: expect.stringMatching(/^error: .*expected a whole number/),
  });
});

test('a command that is not there ends with 2', async () => {
  expect(await syncline(['statu'])).toMatchObject({ code: 2 });
});

test('version ends with 0', async () => {
  expect(await syncline(['--version'])).toEqual({ code: 0, text: VERSION });
});
