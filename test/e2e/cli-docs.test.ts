import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  connect,
  freePort,
  PROGRAMS,
  projectRoot,
  replaceFile,
  startProcess,
  startRedisServer,
  until,
  writeConfig,
} from '../support/index.ts';

/** The address of the api on the pages. */
const SHOWN_API = 'http://127.0.0.1:8080';

/** Each page runs on its own system from top to bottom; the number is that of its commands. */
const PAGES = [
  ['docs/cli.md', 5],
  ['docs/cli-registries.md', 15],
  ['docs/troubleshooting.md', 10],
  ['docs/troubleshooting-processes.md', 5],
] as const;

/** A command of a page and what it prints, and an event that happens before it. */
interface Example {
  readonly event: string | undefined;
  readonly program: string;
  readonly args: readonly string[];
  readonly printed: string;
}

/** A comment such as `<!-- team: 3 rows -->` before a block names one of the events in {@link start}. */
const BLOCK =
  /(?:^<!-- ((?:team|worker|redis): [^>]+) -->\n+)?^```text\n(\$ (?:syncline|curl) .*?)^```/gms;

function examplesOf(page: string): Example[] {
  return [...page.matchAll(BLOCK)].flatMap(([, event, block = '']) => {
    const calls = block.split(/^\$ (?=(?:syncline|curl) )/m).slice(1);
    return calls.map((call, index) => {
      const [line = '', ...printed] = call.split('\n');
      const [program = '', ...args] = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, bare = '']) => quoted ?? bare,
      );
      return { event: index === 0 ? event : undefined, program, args, printed: printed.join('\n') };
    });
  });
}

/** Replaces whatever differs between runs: times, digests, line breaks, the folder of the files. */
function comparable(text: string, directory: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b/g, 'DIGEST')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/(redis:\/\/|ECONNREFUSED )127\.0\.0\.1:\d+/g, '$1HOST')
    .replaceAll(/\b\d+m\d\ds\b|\b\d+(\.\d+)? ?(ms|s|kB|KB|MB)\b/g, 'AMOUNT')
    .replaceAll(/\bin\s+AMOUNT\b|\bin \d+h\b|\bnow\b/g, 'SOON')
    .replaceAll(/(failures) +\d+/g, '$1 COUNT')
    .replaceAll(/\b(ahead of|behind)\b/g, 'BESIDE')
    .replaceAll(/(redis version) +[\d.]+/g, '$1 VERSION')
    .replaceAll(/(ok +scheduler) +\S+-\d+-[0-9a-f]{8}\b/g, '$1 PROCESS')
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

/** A row without a version. */
const DRAFT = { server: { name: 'com.example.team/draft', description: 'Not finished.' } };

async function writeFiles(directory: string): Promise<void> {
  const examples = path.join(projectRoot, 'examples/quickstart-registry.json');
  await replaceFile(path.join(directory, 'examples.json'), await readFile(examples, 'utf8'));
  const broken =
    'registries:\n  - name: team\n    file: { path: ./team.json }\n    syncPolicy: { intervall: 5m }\n';
  await replaceFile(path.join(directory, 'broken.yaml'), broken);
}

/** Starts the system of the pages: one registry that stays, one that changes, one whose file is missing. */
async function start() {
  const redis = await startRedisServer();
  const policy = { syncPolicy: { interval: '12h' } };
  const { directory } = await writeConfig({
    registries: [
      { name: 'examples', file: { path: './examples.json' }, ...policy },
      { name: 'team', file: { path: './team.json' }, ...policy },
      { name: 'archive', file: { path: './archive.json' }, ...policy },
    ],
  });
  const writeTeam = (rows: readonly object[]) =>
    replaceFile(path.join(directory, 'team.json'), JSON.stringify({ servers: rows }));
  await writeTeam(rowsOfTeam(10));
  await writeFiles(directory);
  const port = await freePort();
  const env = { REDIS_URL: redis.url, PORT: String(port) };
  const launch = async (name: string) => {
    const started = await startProcess({ name, entry: PROGRAMS.cli, args: [name], env, directory });
    await started.waitForLog(({ msg }) => msg === 'started');
    return started;
  };
  await launch('scheduler');
  await launch('api');
  const worker = await launch('worker');
  await untilSettled(redis.url);
  const syncline = async (shown: readonly string[]) => {
    // Progress is printed only if a sync takes long. A command with a timeout does.
    const isQuick = shown.includes('--wait') && !shown.includes('--timeout');
    const args = isQuick ? [...shown, '--quiet'] : shown;
    const name = `syncline ${args.join(' ')}`;
    const called = await startProcess({ name, entry: PROGRAMS.cli, args, env, directory });
    await called.exited;
    return called.output.lines.join('\n');
  };
  const curl = async ([url = '']: readonly string[]) =>
    (await fetch(url.replace(SHOWN_API, `http://127.0.0.1:${port}`))).text();
  const events: Record<string, () => Promise<unknown>> = {
    'team: 3 rows': () => writeTeam(rowsOfTeam(3)),
    'team: 11 rows and a draft': () => writeTeam([...rowsOfTeam(11), DRAFT]),
    'team: 12 rows': () => writeTeam(rowsOfTeam(12)),
    'team: 13 rows': () => writeTeam(rowsOfTeam(13)),
    'worker: killed': () => worker.kill(),
    'worker: started': () => launch('worker'),
    'redis: killed': () => redis.kill(),
  };
  return { directory, events, run: { syncline, curl } };
}

/** Waits until each registry has been tried once. */
async function untilSettled(redisUrl: string): Promise<void> {
  const client = connect(redisUrl);
  for (const [name, phase] of [
    ['examples', 'Complete'],
    ['team', 'Complete'],
    ['archive', 'Failed'],
  ] as const) {
    const phaseOf = () => client.hget(`syncline:{${name}}:status`, 'phase');
    await until(async () => (await phaseOf()) === phase, {
      what: `${name} to be ${phase}`,
    });
  }
}

/** Replaces the digests of the page with those of this run. */
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

test.each(PAGES)('the commands in %s print the output that it shows', async (name, count) => {
  const examples = examplesOf(await readFile(path.join(projectRoot, name), 'utf8'));
  expect(examples).toHaveLength(count);
  const { directory, events, run } = await start();
  const digests = new Map<string, string>();
  for (const { event, program, args, printed } of examples) {
    if (event !== undefined) await eventOf(events, event)();
    const call = program === 'curl' ? run.curl : run.syncline;
    const found = await call(withDigests(args, digests));
    learnDigests(printed, found, digests);
    const command = [program, ...args].join(' ');
    expect.soft(comparable(found, directory), command).toBe(comparable(printed, directory));
  }
});

function eventOf<Event>(events: Readonly<Record<string, Event>>, name: string): Event {
  const found = events[name];
  if (found === undefined) throw new Error(`no event is called ${name}`);
  return found;
}
