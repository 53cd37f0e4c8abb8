import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { VERSION } from '@syncline/runtime';
import { projectRoot, runCommand, temporaryDirectory, writeConfig } from '@syncline/test/support';
import { expect, test } from 'vitest';
import { syncline, synclineApart } from './testing/syncline.ts';

test('a valid config is confirmed', async () => {
  const file = path.join('examples', 'quickstart.yaml');
  expect(await syncline(['validate', file], { directory: projectRoot })).toEqual({
    code: 0,
    text: 'examples/quickstart.yaml: valid: 5 registries, 1 catalog',
  });
});

test('every problem of a config is shown with its place, and the status is 2', async () => {
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

test('a problem that only a check finds is shown with its place', async () => {
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
    expect.stringMatching(/^syncline\.yaml:\d+:\d+ .*include\[0\]: the glob is invalid\. Use \*/),
  ]);
});

test('a ToolHive config is valid, with warnings', async () => {
  const file = path.join('examples', 'toolhive.yaml');
  const { code, text } = await syncline(['validate', file], { directory: projectRoot });
  expect(code).toBe(0);
  const lines = text.split('\n');
  expect(lines.at(-1)).toBe('examples/toolhive.yaml: valid: 3 registries, 1 catalog');
  expect(lines).toContainEqual(expect.stringMatching(/^warning: toolhive\.yaml:46:1 database: /));
});

test('--config overrides SYNCLINE_CONFIG', async () => {
  const { path: file } = await writeConfig({
    registries: [{ name: 'one', file: { path: './one.json' } }],
  });
  const env = { SYNCLINE_CONFIG: '/none' };
  expect(await syncline(['validate', '--config', file], { env })).toMatchObject({ code: 0 });
});

test('a missing file ends with 2', async () => {
  const directory = await temporaryDirectory();
  const { code, text } = await syncline(['validate'], { directory });
  expect(code).toBe(2);
  expect(text).toContain('syncline.yaml');
});

test('bad usage ends with 2', async () => {
  expect(await syncline(['runs', 'local', '--limit', 'none'])).toEqual({
    code: 2,
    text: expect.stringMatching(/^error: .*Use a whole number/),
  });
});

test('an unknown command ends with 2', async () => {
  expect(await syncline(['statu'])).toMatchObject({ code: 2 });
});

test('version ends with 0', async () => {
  expect(await syncline(['--version'])).toEqual({ code: 0, text: VERSION });
});

test.each(['--version', '--help'])('%s loads no library but commander', async (flag) => {
  const hook = `import { registerHooks } from 'node:module';
    const load = (url, context, next) => (console.error(url), next(url, context));
    registerHooks({ load });`;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`];
  const { stderr } = spawnSync(process.execPath, [...args, 'apps/cli/src/main.ts', flag], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  const libraries = [...stderr.matchAll(/\/node_modules\/(?!\.pnpm)((?:@[^/]+\/)?[^/]+)/g)];
  expect(new Set(libraries.map(([, name]) => name))).toEqual(new Set(['commander']));
});

test('with --json an error is JSON on standard error, and standard output is empty', async () => {
  const config = await writeConfig({ registries: [] });
  await config.replaceText('registries:\n  - name: Local\n    file: { path: ./a.json }\n');
  const { code, stdout, stderr } = await synclineApart(['validate', '--json', config.path]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(JSON.parse(stderr)).toEqual({
    error: {
      code: 'config-invalid',
      message: expect.stringContaining('registries[0].name'),
      problems: [
        expect.objectContaining({
          file: config.path,
          line: 2,
          column: 11,
          path: 'registries[0].name',
          message: expect.any(String),
        }),
      ],
    },
  });
});

test('with --json a valid config is counted', async () => {
  const file = path.join('examples', 'quickstart.yaml');
  const { code, stdout, stderr } = await synclineApart(['validate', '--json', file]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    file: path.join(projectRoot, file),
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    registries: expect.any(Number),
    catalogs: expect.any(Number),
    warnings: [],
  });
});

test('with --json bad usage is JSON too', async () => {
  const { code, stdout, stderr } = await synclineApart(['status', '--json', '--wacht']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(JSON.parse(stderr)).toEqual({
    error: { code: 'bad-request', message: expect.stringContaining("unknown option '--wacht'") },
  });
});

test('sync needs a registry, or --all', async () => {
  expect(await syncline(['sync'])).toEqual({
    code: 2,
    text: 'error: no registry given. Name a registry, or use --all',
  });
  expect(await syncline(['sync', 'one', '--all'])).toEqual({
    code: 2,
    text: 'error: a registry and --all given. Name a registry, or use --all',
  });
});

test('only requested colours are printed', async () => {
  const error = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    synclineApart(['status', ...args], { env: { REDIS_URL: 'redis://127.0.0.1:1', ...env } });
  const red = '\u001b[31merror:';
  expect((await error([])).stderr).toMatch(/^error: /);
  expect((await error([], { FORCE_COLOR: '1' })).stderr).toContain(red);
  expect((await error(['--no-color'], { FORCE_COLOR: '1' })).stderr).toMatch(/^error: /);
});

test('a reader that stops early ends a command silently', async () => {
  const command = `"${process.execPath}" apps/cli/src/main.ts --help | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const printed = await runCommand('bash', ['-c', command], { directory: projectRoot });
  expect(printed).toMatch(/^Usage: syncline .*\n0\n$/);
});
