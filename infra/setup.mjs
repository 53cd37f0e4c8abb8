// Sets up the clone: dependencies, Node 24, the programs in dist/, and a Redis; with --test also a browser for
// tests. Does nothing if nothing has changed. Runs on Node 20, before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE = join(ROOT, 'node_modules/.bin/node');
const STAMP = join(ROOT, 'node_modules/.syncline-setup');
const PNPM = 'pnpm@12.21.0';
const LEAST_NODE_MAJOR = 24;

process.chdir(ROOT);
const forTests = process.argv.includes('--test');
await installDependencies();
linkNode();
buildPrograms();
if (forTests || !process.env.REDIS_URL) provideRedis();
if (forTests) await provideBrowser();
say('ready');

async function installDependencies() {
  const digest = digestOfManifests();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === digest) return;
  const startedAt = Date.now();
  say(`installing dependencies with ${PNPM}…`);
  // With CI set, pnpm does not ask questions, such as whether it may replace node_modules.
  const result = await run('npx', ['-y', PNPM, 'install', '--frozen-lockfile'], { CI: 'true' });
  if (result.status !== 0) fail(`pnpm install failed:\n${result.output}`);
  writeFileSync(STAMP, digest);
  say(`dependencies installed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

/** Returns a digest of all files that determine which packages are installed. */
function digestOfManifests() {
  const workspaces = ['packages', 'apps'].flatMap((folder) =>
    readdirSync(folder).map((name) => join(folder, name, 'package.json')),
  );
  const files = [
    'package.json',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'test/package.json',
    'test/chaos/package.json',
  ];
  const hash = createHash('sha256').update(`${PNPM} ${process.platform} ${process.arch}\n`);
  for (const file of [...files, ...workspaces].filter((file) => existsSync(file))) {
    hash.update(`${file}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/**
 * Links the machine's own Node, if it is recent enough. Needed on systems for which the lockfile has no Node.
 */
function linkNode() {
  if (nodeMajor(NODE) >= LEAST_NODE_MAJOR) return;
  const others = findOnPath('node').filter((file) => file !== NODE);
  const own = [process.execPath, ...others].find((file) => nodeMajor(file) >= LEAST_NODE_MAJOR);
  if (own === undefined) {
    fail(
      `Node ${LEAST_NODE_MAJOR} or newer is needed, and this is ${process.version}. Install a newer one`,
    );
  }
  rmSync(NODE, { force: true });
  mkdirSync(dirname(NODE), { recursive: true });
  symlinkSync(own, NODE);
  say(`using the Node of this machine, ${own}`);
}

function buildPrograms() {
  const { status } = spawnSync(NODE, ['infra/build.mjs'], { stdio: 'inherit' });
  if (status !== 0) fail('the programs could not be built; see above');
}

function nodeMajor(node) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return Number(/^v(\d+)\./.exec(stdout ?? '')?.[1] ?? 0);
}

function provideRedis() {
  const script = 'packages/runtime/src/redis-server/fetch.ts';
  const { status } = spawnSync(NODE, [script], { stdio: 'inherit' });
  // Continues without Redis: if REDIS_URL is set, only the tests need this Redis.
  if (status !== 0) say('no Redis was found or installed; see above');
}

async function provideBrowser() {
  if (findOnPath('chromium', 'chromium-browser', 'google-chrome').length > 0) return;
  if (process.getuid?.() !== 0 || findOnPath('apt-get').length === 0) {
    say('no Chromium on the PATH: the test in a browser will be skipped');
    return;
  }
  say('installing chromium from apt…');
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['-q', 'update'], environment);
  const install = ['-q', '-y', '--no-install-recommends', 'install', 'chromium'];
  const { status, output } = await run('apt-get', install, environment);
  if (status === 0) say('chromium installed');
  else
    say(`no chromium, the test in a browser will be skipped: ${output.trim().split('\n').pop()}`);
}

function findOnPath(...names) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .filter(isExecutable);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs a command. Collects its output, to show it if the command fails. */
function run(command, args, environment) {
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  // Unlike Ctrl-C, SIGTERM does not reach the child process.
  process.once('SIGTERM', () => {
    child.kill();
    process.exit(143);
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: 1, output: error.message }));
    child.once('close', (status) => resolve({ status, output }));
  });
}

function say(line) {
  console.log(`setup: ${line}`);
}

function fail(line) {
  console.error(`setup: ${line}`);
  process.exit(1);
}
