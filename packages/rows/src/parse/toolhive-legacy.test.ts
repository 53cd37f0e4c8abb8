import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { registryConfig } from '@syncline/contract/testing';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { compileFilter } from '../filter.ts';
import { OFFICIAL_META, PUBLISHER_META } from '../row.ts';
import { parseBody } from './parse-body.ts';

const dataDir =
  process.env['SYNCLINE_TEST_DATA'] ?? path.join(import.meta.dirname, '../../../../../shared/data');

const container = {
  description: 'does things',
  image: 'ghcr.io/acme/x:v1.2.3',
  transport: 'stdio',
  status: 'Active',
  tier: 'Community',
  tools: ['do'],
  tags: ['things'],
};
const remote = { ...container, url: 'https://x.example/mcp', transport: 'streamable-http' };

function read(registry: object) {
  const body = parseBody(Buffer.from(JSON.stringify({ version: '1.0.0', ...registry })));
  const readings = [...body.readRows(1)];
  return {
    format: body.format,
    rows: readings.flatMap((it) => (it.ok ? [JSON.parse(it.row.json)] : [])),
    quarantined: readings.flatMap((it) => (it.ok ? [] : [`${it.label}: ${it.reason}`])),
  };
}

function readOne(changes: object) {
  const { rows, quarantined } = read({ servers: { x: { ...container, ...changes } } });
  expect(quarantined).toEqual([]);
  return rows[0];
}

describe('ToolHive’s legacy format', () => {
  test('converts a container to a package', () => {
    const entry = {
      ...container,
      args: ['--dir', '/data'],
      permissions: { network: {} },
      repository_url: 'https://github.com/acme/x',
      env_vars: [
        { name: 'TOKEN', description: 'the token', required: true, secret: true },
        { name: 'PORT', description: 'a port', required: false, default: 8080 },
      ],
    };
    const { format, rows } = read({ servers: { x: entry } });
    expect(format).toBe('toolhive-legacy');
    expect(rows).toEqual([
      {
        server: {
          $schema: expect.stringContaining('/2025-12-11/'),
          name: 'io.github.stacklok/x',
          description: 'does things',
          title: 'x',
          repository: { url: 'https://github.com/acme/x', source: 'github' },
          version: '1.2.3',
          packages: [
            {
              registryType: 'oci',
              identifier: 'ghcr.io/acme/x:v1.2.3',
              transport: { type: 'stdio' },
              packageArguments: [
                { type: 'positional', value: '--dir' },
                { type: 'positional', value: '/data' },
              ],
              environmentVariables: [
                { name: 'TOKEN', description: 'the token', isRequired: true, isSecret: true },
                { name: 'PORT', description: 'a port', default: '8080' },
              ],
            },
          ],
          _meta: {
            [PUBLISHER_META]: {
              'io.github.stacklok': {
                'ghcr.io/acme/x:v1.2.3': {
                  args: ['--dir', '/data'],
                  permissions: { network: {} },
                  status: 'Active',
                  tags: ['things'],
                  tier: 'Community',
                  tools: ['do'],
                },
              },
            },
          },
        },
        _meta: {},
      },
    ]);
  });

  test('converts a remote server to a remote', () => {
    const entry = {
      ...remote,
      image: undefined,
      headers: [{ name: 'X-Key', description: 'the key', required: true, secret: true }],
      oauth_config: { issuer: 'https://id.example' },
      env_vars: [{ name: 'A', description: 'for the client', required: false }],
    };
    const [{ server }] = read({ remote_servers: { x: entry } }).rows;
    expect(server).toMatchObject({
      version: '1.0.0',
      remotes: [
        {
          type: 'streamable-http',
          url: 'https://x.example/mcp',
          headers: [{ name: 'X-Key', description: 'the key', isRequired: true, isSecret: true }],
        },
      ],
    });
    expect(server.packages).toBeUndefined();
    const extensions = server._meta[PUBLISHER_META]['io.github.stacklok'][remote.url];
    expect(extensions).toMatchObject({
      oauth_config: entry.oauth_config,
      env_vars: entry.env_vars,
    });
  });

  test.each([
    ['ghcr.io/acme/x:1.2.3', '1.2.3'],
    ['ghcr.io/acme/x:v0.0.68', '0.0.68'],
    [`ghcr.io/acme/x:2.0.0-rc.1@sha256:${'0'.repeat(64)}`, '2.0.0-rc.1'],
    [`ghcr.io/acme/x@sha256:${'0'.repeat(64)}`, '1.0.0'],
    ['example.com:5000/acme/x', '1.0.0'],
    ['docker.io/mcp/x:latest', '1.0.0'],
    ['docker.io/mcp/x:main', '1.0.0'],
    ['docker.io/mcp/x:1.x', '1.0.0'],
    ['docker.io/mcp/x', '1.0.0'],
  ])('reads from the image %s the version %s', (image, version) => {
    expect(readOne({ image }).server.version).toBe(version);
  });

  test('keeps the status deprecated', () => {
    expect(readOne({ status: 'Deprecated' })._meta).toEqual({
      [OFFICIAL_META]: { status: 'deprecated' },
    });
  });

  test.each([
    [
      { transport: 'sse', target_port: 8000 },
      { type: 'sse', url: 'http://localhost:8000' },
    ],
    [{ transport: 'streamable-http' }, { type: 'streamable-http', url: 'http://localhost' }],
    [{ transport: undefined }, { type: 'stdio' }],
  ])('converts %j to the transport %j', (changes, transport) => {
    expect(readOne(changes).server.packages[0].transport).toEqual(transport);
  });

  test('keeps a title and a full name', () => {
    const { rows } = read({ servers: { 'com.acme/y': { ...container, title: 'Why' } } });
    expect(rows[0].server).toMatchObject({ name: 'com.acme/y', title: 'Why' });
  });

  test('quarantines only the invalid entry', () => {
    const { rows, quarantined } = read({
      servers: {
        good: container,
        'no-image': { ...container, image: undefined },
        'no-description': { ...container, description: undefined },
        'no-object': 7,
        'bad-transport': { ...container, transport: 'pigeon' },
        'bad-env': { ...container, env_vars: [{ description: 'x' }] },
        ['__proto__']: { ...container },
      },
    });
    expect(rows.map(({ server }) => server.name)).toEqual([
      'io.github.stacklok/good',
      'io.github.stacklok/__proto__',
    ]);
    expect(quarantined).toEqual([
      expect.stringMatching(/^io\.github\.stacklok\/no-image@\?: image: /),
      expect.stringMatching(/^io\.github\.stacklok\/no-description@1\.2\.3: server\.description/),
      expect.stringMatching(/^io\.github\.stacklok\/no-object@\?: /),
      expect.stringMatching(/^io\.github\.stacklok\/bad-transport@\?: transport: /),
      expect.stringMatching(/^io\.github\.stacklok\/bad-env@\?: env_vars\.0\.name: /),
    ]);
  });

  test('reads the servers of groups, and keeps the first of two different ones', () => {
    const { rows, quarantined } = read({
      servers: { x: container },
      remote_servers: { r: remote },
      groups: [
        { name: 'one', servers: { x: container, y: container } },
        { name: 'two', servers: { y: { ...container, description: 'other' } } },
        { name: 'three', remote_servers: { x: remote } },
        { name: 'empty' },
      ],
    });
    expect(rows.map(({ server }) => server.name.slice(-1))).toEqual(['x', 'r', 'y']);
    expect(quarantined).toEqual([
      expect.stringMatching(
        /^io\.github\.stacklok\/y@\?: the source has another server with the same key/,
      ),
      expect.stringMatching(
        /^io\.github\.stacklok\/x@\?: the source has another server with the same key/,
      ),
    ]);
  });

  test.each<[value: object, why: string]>([
    [{ servers: { x: container } }, 'no version and no time'],
    [{ version: '1', servers: 'x' }, 'servers that are a string'],
    [{ version: '1' }, 'no servers'],
  ])('rejects %j as a legacy registry: %s', (value, _why) => {
    expect(() => parseBody(Buffer.from(JSON.stringify(value)))).toThrow(
      expect.objectContaining({ code: 'source-not-a-registry' }),
    );
  });

  test('does not read a list as the legacy format', () => {
    expect(read({ servers: [] }).format).toBe('registry-list');
  });
});

const legacyPath = path.join(dataDir, 'toolhive/registry-legacy-2026-02-18.json');
const isThere = existsSync(legacyPath);
if (!isThere) console.warn(`skipped: there is no ${legacyPath}; set SYNCLINE_TEST_DATA`);

describe.skipIf(!isThere)('ToolHive’s own registry', () => {
  const readJson = (file: string) => JSON.parse(readFileSync(path.join(dataDir, file), 'utf8'));
  const readRows = () => [...parseBody(readFileSync(legacyPath)).readRows(1)];

  test('has only servers that are valid by the schema that they name', () => {
    const schema = readJson('spec/2025-12-11-server.schema.json');
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    const readings = readRows();
    expect(readings).toHaveLength(79 + 23);
    for (const reading of readings) {
      if (!reading.ok) throw new Error(`${reading.label}: ${reading.reason}`);
      const { server } = JSON.parse(reading.row.json);
      validate(server);
      expect({ name: server.name, errors: validate.errors }).toEqual({
        name: server.name,
        errors: null,
      });
    }
    // The check itself must be able to fail.
    expect(validate({ name: 'no slash' })).toBe(false);
    const deprecated = readings.filter((it) => it.ok && it.row.status === 'deprecated');
    expect(deprecated).toHaveLength(1);
  });

  test('is converted as ToolHive does it, except for the versions', () => {
    const upstream = readJson('toolhive/upstream-registry-example-2025-11-26.json');
    const ours = new Map(readRows().flatMap((it) => (it.ok ? [[it.row.name, it.row.json]] : [])));
    const shape = ({ version: _version, ...server }: Record<string, unknown>) =>
      Object.keys(server).toSorted();
    for (const theirs of upstream.data.servers) {
      const { server } = JSON.parse(ours.get(theirs.name) ?? 'null') ?? {};
      // A few servers have been removed since.
      if (server === undefined) continue;
      expect(shape(server)).toEqual(shape(theirs));
      const [ourPackage] = server.packages;
      const [{ identifier, ...theirPackage }] = theirs.packages;
      expect(ourPackage).toMatchObject({
        registryType: 'oci',
        transport: theirPackage.transport,
        identifier: expect.stringContaining(identifier.replace(/:[^:]*$/, '')),
      });
    }
  });

  test('can be filtered by tags', () => {
    const { filter } = registryConfig({ filter: { tags: { include: ['database'] } } });
    const passes = compileFilter(filter);
    const kept = readRows().filter((it) => it.ok && passes(JSON.parse(it.row.json).server));
    expect(kept.length).toBeGreaterThan(3);
    expect(kept.length).toBeLessThan(40);
  });
});
