import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { replaceFile, writeConfig } from '../support/config.ts';
import { startProcess } from '../support/processes.ts';
import { projectRoot } from '../support/project.ts';
import { connect } from '../support/redis.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { PROGRAMS } from '../support/system.ts';
import { until } from '../support/until.ts';

/** A block of the page: a command and what it prints; before it, perhaps, what happens in the meantime. */
interface Example {
  readonly teamRows: number | undefined;
  readonly args: readonly string[];
  readonly printed: string;
}

/** `<!-- team: 4 rows -->` says what the upstream of `team` has from there on. */
const BLOCK = /(?:^<!-- team: (\d+) rows -->\n+)?^```text\n(\$ syncline .*?)^```/gms;

function examplesOf(page: string): Example[] {
  return [...page.matchAll(BLOCK)].flatMap(([, rows, block = '']) => {
    const calls = block.split(/^\$ syncline /m).slice(1);
    return calls.map((call, index) => {
      const [line = '', ...printed] = call.split('\n');
      const args = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, bare = '']) => quoted ?? bare,
      );
      const teamRows = index === 0 && rows !== undefined ? Number(rows) : undefined;
      return { teamRows, args, printed: printed.join('\n') };
    });
  });
}

/** What is another at each run is made the same: times, digests, how it is wrapped, where the files are. */
function comparable(text: string, directory: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b/g, 'DIGEST')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/redis:\/\/127\.0\.0\.1:\d+/g, 'redis://127.0.0.1:6379')
    .replaceAll(/\b\d+m\d\ds\b|\b\d+(\.\d+)? ?(ms|s|MB)\b/g, 'AMOUNT')
    .replaceAll(/\bin AMOUNT\b|\bnow\b/g, 'SOON')
    .replaceAll(/\b(ahead of|behind)\b/g, 'BESIDE')
    .replaceAll(/(redis version) +[\d.]+/g, '$1 VERSION')
    .replaceAll(/(ok +scheduler) +\S+-\d+/g, '$1 PROCESS')
    .replaceAll(/\s+/g, '')
    .replaceAll(directory, '/srv/syncline');
}

function rowsOfTeam(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    server: {
      name: `com.example.team/server-${index + 1}`,
      description: 'A server of the team.',
      version: '1.0.0',
    },
  }));
}

/** The system of the page: a registry that is there, one that changes, one that is missing. */
async function start() {
  const redis = await startRedisServer();
  const policy = { syncPolicy: { interval: '12h' } };
  const config = await writeConfig({
    registries: [
      { name: 'examples', file: { path: './examples.json' }, ...policy },
      { name: 'team', file: { path: './team.json' }, ...policy },
      { name: 'archive', file: { path: './archive.json' }, ...policy },
    ],
  });
  const { directory } = config;
  const writeTeam = (count: number) =>
    replaceFile(path.join(directory, 'team.json'), JSON.stringify({ servers: rowsOfTeam(count) }));
  await writeTeam(10);
  const examples = path.join(projectRoot, 'examples/quickstart-registry.json');
  await replaceFile(path.join(directory, 'examples.json'), await readFile(examples, 'utf8'));
  const broken =
    'registries:\n  - name: team\n    file: { path: ./team.json }\n    syncPolicy: { intervall: 5m }\n';
  await replaceFile(path.join(directory, 'broken.yaml'), broken);
  const env = { REDIS_URL: redis.url };
  for (const name of ['scheduler', 'worker']) {
    const started = await startProcess({ name, entry: PROGRAMS.cli, args: [name], env, directory });
    await started.waitForLog(({ msg }) => msg === 'started');
  }
  const client = connect(redis.url);
  const phaseOf = (name: string) => client.hget(`syncline:{${name}}:status`, 'phase');
  for (const [name, phase] of [
    ['examples', 'Complete'],
    ['team', 'Complete'],
    ['archive', 'Failed'],
  ] as const) {
    await until(async () => (await phaseOf(name)) === phase, {
      what: `${name} to be ${phase}`,
    });
  }
  const run = async (shown: readonly string[]) => {
    // How far it is is told only where it takes its time.
    const args = shown.includes('--wait') ? [...shown, '--quiet'] : shown;
    const name = `syncline ${args.join(' ')}`;
    const called = await startProcess({ name, entry: PROGRAMS.cli, args, env, directory });
    await called.exited;
    return called.output.lines.join('\n');
  };
  return { directory, writeTeam, run };
}

/** Digests that later commands name: the page has its own, and each run has others. */
function withDigests(args: readonly string[], known: ReadonlyMap<string, string>): string[] {
  return args.map((arg) => known.get(arg) ?? arg);
}

function learnDigests(shown: string, printed: string, known: Map<string, string>): void {
  const of = (text: string) => text.match(/\b[0-9a-f]{12}\b/g) ?? [];
  const theirs = of(printed);
  for (const [index, digest] of of(shown).entries()) {
    const mine = theirs[index];
    if (mine !== undefined) known.set(digest, mine);
  }
}

test('what docs/cli.md shows is what is printed', async () => {
  const page = await readFile(path.join(projectRoot, 'docs/cli.md'), 'utf8');
  const examples = examplesOf(page);
  expect(examples.length).toBeGreaterThan(10);
  const { directory, writeTeam, run } = await start();
  const digests = new Map<string, string>();
  for (const { teamRows, args, printed } of examples) {
    if (teamRows !== undefined) await writeTeam(teamRows);
    const found = await run(withDigests(args, digests));
    learnDigests(printed, found, digests);
    const name = `syncline ${args.join(' ')}`;
    expect.soft(comparable(found, directory), name).toBe(comparable(printed, directory));
  }
});
