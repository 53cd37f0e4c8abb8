import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { configJsonSchema } from './json-schema.ts';
import { loadConfig, parseConfig } from './load-config.ts';
import { formatProblem } from './problem.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const examples = join(root, 'examples');

const configFiles = (await readdir(examples)).filter((name) =>
  /(?<!-registry)\.(?:yaml|json)$/.test(name),
);

test('generated documentation is up to date', async () => {
  const check = promisify(execFile)(process.execPath, ['infra/generate-docs.ts', '--check'], {
    cwd: root,
  });
  await expect(check).resolves.toMatchObject({ stderr: '' });
});

test.each(configFiles)('examples/%s is a valid config', async (name) => {
  const { config } = await loadConfig(join(examples, name));
  expect(config.registries.length).toBeGreaterThan(0);
  for (const { file } of config.registries) {
    const { path } = file ?? {};
    if (path !== undefined) await expect(readFile(path)).resolves.toBeDefined();
  }
});

test('the expected examples exist', () => {
  expect(configFiles).toEqual(
    expect.arrayContaining([
      'filtered.json',
      'git.yaml',
      'minimal.yaml',
      'quickstart.yaml',
      'toolhive.yaml',
    ]),
  );
});

test('the example in the documentation is a valid config', async () => {
  const page = await readFile(join(root, 'docs/configuration.md'), 'utf8');
  const [, example = ''] = /```yaml\n(registries:.*?)```/s.exec(page) ?? [];
  expect(parseConfig('syncline.yaml', example).config.catalogs).toHaveLength(1);
});

test('error messages in the documentation match the real ones', async () => {
  const page = await readFile(join(root, 'docs/configuration.md'), 'utf8');
  const [, shown = ''] = /```text\n(syncline\.yaml:.*?)\n```/s.exec(page) ?? [];
  const text = `registries:
  - name: official
    api:
      endpoint: https://registry.modelcontextprotocol.io
      timeout: 30s

    syncPolicy:
      intervall: 1h

  - name: internal
    file: { path: ./internal.json }
    interval: 5m

    snapshots: 500

catalogs:
  - name: default
    registries: [offical]
`;
  expect(() => parseConfig('syncline.yaml', text)).toThrow(shown);
});

test('the example in the ToolHive migration guide matches the real conversion', async () => {
  const page = await readFile(join(root, 'docs/moving-from-toolhive.md'), 'utf8');
  const file = join(examples, 'toolhive.yaml');
  const theirs = await loadConfig(file);
  expect(page).toContain(
    `<!-- example: examples/toolhive.yaml -->\n\`\`\`yaml\n${await readFile(file, 'utf8')}\`\`\``,
  );
  const [, ours = ''] = /```yaml\n(registries:.*?)```/s.exec(page) ?? [];
  expect(parseConfig(file, ours).config).toEqual(theirs.config);
  const [, warnings] = /\n(warning: .*?)\nexamples\/toolhive\.yaml: valid/s.exec(page) ?? [];
  expect(theirs.warnings.map((it) => `warning: ${formatProblem(it)}`).join('\n')).toBe(warnings);
});

test('the quickstart registry has a dozen servers of the documented shape', async () => {
  const server = z.object({
    name: z.string().regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
    title: z.string().max(100),
    description: z.string().min(1).max(100),
    version: z.string(),
  });
  const registry = z.object({
    version: z.string(),
    meta: z.object({ last_updated: z.iso.datetime() }),
    data: z.object({ servers: z.array(server) }),
  });
  const text = await readFile(join(examples, 'quickstart-registry.json'), 'utf8');
  const { data } = registry.parse(JSON.parse(text));
  const keys = new Set(data.servers.map(({ name, version }) => `${name}@${version}`));
  expect(keys.size).toBe(data.servers.length);
  expect(new Set(data.servers.map(({ name }) => name)).size).toBeGreaterThanOrEqual(12);
});

test('the JSON Schema describes the config before defaults apply', () => {
  const schema = configJsonSchema();
  expect(schema.required).toEqual(['registries']);
  expect(schema.additionalProperties).toBe(false);
  expect(JSON.stringify(schema)).toContain('"default":"1h"');
});
