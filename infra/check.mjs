// Runs all checks, or only the named ones: node infra/check.mjs lint types
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const REPORTS = '.cache/checks';

process.chdir(ROOT);
// Puts the Node of this clone first, for the tools and for their child processes.
process.env.PATH = `${join(ROOT, 'node_modules/.bin')}${delimiter}${process.env.PATH}`;
// Hundreds of processes load the same modules. With the cache, each module is compiled only once.
process.env.NODE_COMPILE_CACHE = join(ROOT, '.cache/compiled');

const COLORS = process.stdout.isTTY ? 'force' : 'off';
const CHECKS = {
  lint,
  types: () => command('tsc', '-p', '.'),
  dependencies: () => command('node', 'infra/check-dependencies.mjs'),
  unused: () => command('knip'),
  unit: () => tests('unit', ['--project', 'unit*']),
  redis: () => tests('redis', ['--project', 'redis']),
  e2e: () => tests('e2e', ['--project', 'e2e']),
  chaos: () => tests('chaos', ['--project', 'chaos']),
  'without-data': withoutData,
};
// If a clone has no real data, its normal tests already ran without the data.
const ONLY_IN_CI = ['without-data'];
const ALL = Object.keys(CHECKS).filter((name) => process.env.CI || !ONLY_IN_CI.includes(name));

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(CHECKS, name));
if (unknown.length > 0) {
  console.error(`No check ${unknown.join(', ')}. Available: ${Object.keys(CHECKS).join(', ')}`);
  process.exit(2);
}
mkdirSync(REPORTS, { recursive: true });
const results = (names.length > 0 ? names : ALL).map(check);
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
const summary = `${passed} passed, ${failed} failed`;
writeFileSync(join(REPORTS, 'summary'), `${summary}\n`);
console.log('\n── result');
for (const { name, ...counts } of results) {
  console.log(
    `${counts.failed === 0 ? 'ok    ' : 'FAILED'} ${name} (${counts.passed} passed, ${counts.failed} failed, ${counts.seconds} s)`,
  );
  for (const failure of counts.failures ?? []) console.log(`       ${failure}`);
}
process.exitCode = failed === 0 ? 0 : 1;

function check(name) {
  console.log(`\n── ${name}`);
  const startedAt = Date.now();
  const counts = CHECKS[name]();
  return { name, ...counts, seconds: Math.round((Date.now() - startedAt) / 1000) };
}

function lint() {
  const biome = ['biome', 'ci', '--error-on-warnings', '--max-diagnostics=100'];
  biome.push(`--colors=${COLORS}`);
  // In some hidden folders, such as .cache, Biome 2.6 finds no package.json, and no setting changes that.
  // For a clone in such a folder, this function gives Biome another path.
  if (!ROOT.split(sep).some((folder) => folder.startsWith('.'))) return command(...biome);
  const folder = mkdtempSync(join(tmpdir(), 'syncline-lint-'));
  const link = join(folder, 'clone');
  symlinkSync(ROOT, link);
  try {
    return command(...biome, `--config-path=${link}`, link);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function command(...words) {
  return run(words) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Runs the tests that use the real data once more, as in a clone without this data. */
function withoutData() {
  process.env.SYNCLINE_TEST_DATA = join(ROOT, '.cache/no-data');
  // Uses git to list the tests, because in Node 20 a recursive readdir follows the links between the
  // packages endlessly.
  const listed = spawnSync('git', ['ls-files', '-z', '-co', '--exclude-standard', '*.test.ts'], {
    encoding: 'utf8',
  });
  const files = listed.stdout.split('\0').filter((file) => existsSync(file));
  const using = files.filter((file) =>
    /SYNCLINE_TEST_DATA|NO_REAL_DATA/.test(readFileSync(file, 'utf8')),
  );
  return tests('without-data', using);
}

function tests(name, args) {
  const report = join(REPORTS, `${name}.json`);
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = run(['vitest', 'run', ...args, ...reporters]);
  const { passed, failures } = readReport(report);
  // A run can fail without a failed test: on an unhandled rejection, or if it has no tests.
  if (status !== 0 && failures.length === 0) failures.push('The run failed without a failed test.');
  return { passed, failed: failures.length, failures };
}

/** The number of passed tests, and a line for each failed one: the result is often all that a log keeps. */
function readReport(report) {
  if (!existsSync(report)) return { passed: 0, failures: ['The run wrote no report.'] };
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const failures = testResults.flatMap((file) => {
    const path = relative(ROOT, file.name);
    const failed = file.assertionResults.filter(({ status }) => status === 'failed');
    // A file that could not be loaded has failed without a failed test.
    if (file.status === 'failed' && failed.length === 0) {
      return [`${path}: ${firstLine(file.message)}`];
    }
    return failed.map(
      ({ fullName, failureMessages }) => `${path}: ${fullName}: ${firstLine(failureMessages[0])}`,
    );
  });
  return { passed: numPassedTests, failures };
}

function firstLine(message = '') {
  return stripVTControlCharacters(message).trim().split('\n')[0];
}

function run([program, ...args]) {
  return spawnSync(program, args, { stdio: 'inherit' }).status;
}
