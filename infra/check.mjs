// Runs every check, or those that are named: node infra/check.mjs lint types
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const REPORTS = '.cache/checks';

process.chdir(ROOT);
// The Node that the clone was set up with comes first, for the tools and for what they start.
process.env.PATH = `${join(ROOT, 'node_modules/.bin')}${delimiter}${process.env.PATH}`;
process.env.TURBO_TELEMETRY_DISABLED = '1';

const COLORS = process.stdout.isTTY ? 'force' : 'off';
const CHECKS = {
  lint: () => command(`biome ci --error-on-warnings --max-diagnostics=100 --colors=${COLORS}`),
  // turbo wants pnpm on the PATH.
  types: () =>
    command(
      'npx -y --prefer-offline -p pnpm@12.21.0 -- turbo run typecheck --continue --output-logs=errors-only',
    ),
  dependencies: () => command('node infra/check-dependencies.mjs'),
  unused: () => command('knip'),
  unit: () => tests('unit'),
  redis: () => tests('redis'),
  e2e: () => tests('e2e'),
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(CHECKS, name));
if (unknown.length > 0) {
  console.error(`no check ${unknown.join(', ')}; there are ${Object.keys(CHECKS).join(', ')}`);
  process.exit(2);
}
mkdirSync(REPORTS, { recursive: true });
const results = (names.length > 0 ? names : Object.keys(CHECKS)).map(check);
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
const summary = `${passed} passed, ${failed} failed`;
writeFileSync(join(REPORTS, 'summary'), `${summary}\n`);
console.log('\n── result');
for (const { name, ...counts } of results) {
  console.log(
    `${counts.failed === 0 ? 'ok    ' : 'FAILED'} ${name} (${counts.passed} passed, ${counts.failed} failed, ${counts.seconds} s)`,
  );
}
process.exitCode = failed === 0 ? 0 : 1;

function check(name) {
  console.log(`\n── ${name}`);
  const startedAt = Date.now();
  const counts = CHECKS[name]();
  return { name, ...counts, seconds: Math.round((Date.now() - startedAt) / 1000) };
}

function command(line) {
  return run(line.split(' ')) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

function tests(project) {
  const report = join(REPORTS, `${project}.json`);
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = run(['vitest', 'run', '--project', project, ...reporters]);
  const { passed, failed } = countTests(report);
  // A run can fail without a failed test: on an unhandled rejection, or where there is no test at all.
  return { passed, failed: status === 0 ? failed : Math.max(failed, 1) };
}

function countTests(report) {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    const broken = testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.length === 0,
    );
    return { passed: numPassedTests, failed: numFailedTests + broken.length };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

function run([program, ...args]) {
  return spawnSync(program, args, { stdio: 'inherit' }).status;
}
