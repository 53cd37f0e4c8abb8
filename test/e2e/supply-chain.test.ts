import { glob, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { projectRoot } from '../support/project.ts';

const stepSchema = z.looseObject({ run: z.string().optional(), uses: z.string().optional() });
const jobSchema = z.looseObject({
  if: z.string().optional(),
  needs: z.union([z.string(), z.array(z.string())]).prefault([]),
  permissions: z.record(z.string(), z.enum(['read', 'write'])),
  strategy: z.object({ matrix: z.record(z.string(), z.array(z.unknown())) }).optional(),
  steps: z.array(stepSchema),
});
const workflowSchema = z.object({
  permissions: z.strictObject({}),
  jobs: z.record(z.string(), jobSchema),
});
const actionSchema = z.object({ runs: z.object({ steps: z.array(stepSchema) }) });
const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.looseObject({
      build: z.object({ target: z.string() }).optional(),
      cap_drop: z.array(z.string()).optional(),
      ports: z.array(z.string()).optional(),
      read_only: z.boolean().optional(),
      security_opt: z.array(z.string()).optional(),
    }),
  ),
});
const lockfileSchema = z.object({
  packages: z.record(z.string(), z.object({ resolution: z.record(z.string(), z.string()) })),
});
const workspaceSchema = z.object({
  allowBuilds: z.record(z.string(), z.boolean()),
  minimumReleaseAge: z.number(),
  trustPolicy: z.string(),
});
const manifestSchema = z.object({
  scripts: z.record(z.string(), z.string()),
  engines: z.object({ node: z.string() }),
  devEngines: z.object({ packageManager: z.object({ name: z.string(), version: z.string() }) }),
});

const WORKFLOW = '.github/workflows/ci.yml';
const ACTION = '.github/actions/setup/action.yml';
const { jobs } = workflowSchema.parse(parse(await read(WORKFLOW)));
const setUp = actionSchema.parse(parse(await read(ACTION))).runs.steps;
const steps = [...Object.values(jobs).flatMap((job) => job.steps), ...setUp];
const manifest = manifestSchema.parse(JSON.parse(await read('package.json')));
const dockerfile = await read('infra/Dockerfile');
/** The stages of the Dockerfile: the name of each, and what it begins from. */
const stages = new Map(
  [...dockerfile.matchAll(/^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM|$(?![\s\S]))/gms)].map(
    ([, from = '', name = '', body = '']) => [name, { from, body }],
  ),
);

function read(name: string): Promise<string> {
  return readFile(path.join(projectRoot, name), 'utf8');
}

function matrixOf(job: string, name: string): unknown[] {
  return jobs[job]?.strategy?.matrix[name] ?? [];
}

describe('the workflow', () => {
  test('runs only scripts of package.json, and the tests among them', () => {
    const text = steps.map((step) => step.run ?? '').join('\n');
    const scripts = [...text.matchAll(/^npm (?:run )?([\w:]+)/gm)].map(([, name]) => name);
    expect(scripts).toEqual(expect.arrayContaining(['setup', 'test', 'audit', 'sbom']));
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(scripts));
  });

  test('pins each action by a commit, and names its version', async () => {
    const lines = `${await read(WORKFLOW)}${await read(ACTION)}`.match(/\buses: .+$/gm) ?? [];
    const foreign = lines.filter((line) => !line.startsWith('uses: ./'));
    expect(foreign.length).toBeGreaterThan(0);
    for (const line of foreign) {
      expect(line).toMatch(/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  test('gives write access only to the release, which needs all other jobs', () => {
    const others = Object.keys(jobs).filter((name) => name !== 'publish');
    for (const name of others) expect(jobs[name]?.permissions).toEqual({ contents: 'read' });
    expect(jobs['publish']?.if).toBe("startsWith(github.ref, 'refs/tags/v')");
    expect([jobs['publish']?.needs].flat().toSorted()).toEqual(others.toSorted());
  });

  test('tests on every Node that the project promises, from the oldest one', async () => {
    const [, oldest] = /^>=(\d+)$/.exec(manifest.engines.node) ?? [];
    const versions = matrixOf('test', 'node');
    expect(Math.min(...versions.map(Number))).toBe(Number(oldest));
    expect(await read('README.md')).toContain(`Node ${oldest} or newer`);
    const [, own] = /^const LEAST_NODE_MAJOR = (\d+);$/m.exec(await read('infra/setup.mjs')) ?? [];
    expect(versions).toContain(Number(own));
    expect(matrixOf('test', 'redis')).toEqual(['installed', 'fetched']);
  });

  test('publishes an image of each program', () => {
    const programs = [...stages].filter(([, { body }]) => /^CMD /m.test(body));
    expect(matrixOf('publish', 'target').toSorted()).toEqual(
      programs.map(([name]) => name).toSorted(),
    );
  });
});

describe('what is installed', () => {
  test('is pinned by hash in the lockfile', async () => {
    const { packages } = lockfileSchema.parse(parse(await read('pnpm-lock.yaml')));
    expect(Object.keys(packages).length).toBeGreaterThan(100);
    for (const [name, { resolution }] of Object.entries(packages)) {
      expect(Object.keys(resolution), name).toEqual(['integrity']);
      expect(resolution['integrity'], name).toMatch(/^sha512-/);
    }
  });

  test('is not young, has no worse proof than before, and runs no scripts', async () => {
    const workspace = workspaceSchema.parse(parse(await read('pnpm-workspace.yaml')));
    const threeDaysInMinutes = 3 * 24 * 60;
    expect(workspace.minimumReleaseAge).toBeGreaterThanOrEqual(threeDaysInMinutes);
    expect(workspace.trustPolicy).toBe('no-downgrade');
    expect(new Set(Object.values(workspace.allowBuilds))).toEqual(new Set([false]));
  });

  test('is never resolved anew', async () => {
    const installs = dockerfile.match(/\bpnpm@\S+ install .*$/gm) ?? [];
    expect(installs).toHaveLength(2);
    for (const install of installs) expect(install).toContain(' --frozen-lockfile ');
    expect(await read('infra/setup.mjs')).toContain("PNPM, 'install', '--frozen-lockfile'");
  });

  test('is installed by one version of pnpm', async () => {
    const { name, version } = manifest.devEngines.packageManager;
    const files = ['package.json', 'CONTRIBUTING.md'];
    for await (const file of glob(['infra/**', 'test/e2e/*.ts'], { cwd: projectRoot })) {
      if ((await stat(path.join(projectRoot, file))).isFile()) files.push(file);
    }
    const texts = await Promise.all(files.map(read));
    const named = texts.flatMap((text) => text.match(/\bpnpm@\d[\w.-]*/g) ?? []);
    expect(named.length).toBeGreaterThan(3);
    expect(new Set(named)).toEqual(new Set([`${name}@${version}`]));
  });
});

describe('a container', () => {
  test('comes from the one base image, and runs without root', () => {
    expect(stages.size).toBeGreaterThan(4);
    for (const [name, { from, body }] of stages) {
      if (!stages.has(from)) expect(from, name).toBe(`$\{NODE_IMAGE}`);
      const users = [...body.matchAll(/^USER (\S+)$/gm)].map(([, user]) => user);
      if (users.length > 0) expect(users.at(-1), name).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    }
    expect(stages.get('app')?.body).toMatch(/^USER /m);
  });

  test('of the Compose file cannot write, gain rights, or be reached from elsewhere', async () => {
    const { services } = composeSchema.parse(
      parse(await read('infra/compose.yaml'), { merge: true }),
    );
    const own = Object.values(services).filter((service) => service.build !== undefined);
    expect(own.map((service) => service.build?.target)).toEqual(['scheduler', 'worker', 'api']);
    for (const service of own) {
      expect(service.read_only).toBe(true);
      expect(service.cap_drop).toEqual(['ALL']);
      expect(service.security_opt).toEqual(['no-new-privileges:true']);
    }
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });
});
