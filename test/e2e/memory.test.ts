/**
 * A worker with little memory gets upstreams that want all of it: large bodies that go idle, tiny chunks in large
 * frames, one byte a second, endless refs. The worker stays below its limit, names the cause, and goes on to sync the
 * honest registry.
 */
import { readdir, readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { OPS_ENV, opsUrl, readMetrics } from '../support/ops.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { startSystem } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { untilComplete, untilRun } from '../support/until-registry.ts';

const LIMIT_MB = 512;
const MARGIN = 1.2;
const IDLE_BODIES = 12;
const IDLE_BODY_BYTES = 400_000_000;
const HONEST_INTERVAL_S = 5;
const ATTACK_MS = 20_000;
/** How often the honest registry must be synced under the attack. How fast depends on the machine. */
const LEAST_SYNCS = 3;
const MB = 1_000_000;

/** Writes a large body, and then nothing more. */
function goIdle(response: ServerResponse): void {
  const part = Buffer.alloc(MB, '["name",');
  let sent = 0;
  const write = () => {
    while (sent < IDLE_BODY_BYTES && !response.destroyed) {
      sent += part.length;
      if (!response.write(part)) return void response.once('drain', write);
    }
  };
  write();
}

/** Sends one byte in each chunk, and a large extension of the chunk. */
function sendTinyChunks(response: ServerResponse): void {
  const { socket } = response;
  const frame = `1;${'x'.repeat(60_000)}\r\n[\r\n`;
  socket?.write(
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  const write = () => {
    while (socket !== null && !socket.destroyed) {
      if (!socket.write(frame)) return void socket.once('drain', write);
    }
  };
  write();
}

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write('['), 1_000);
  response.on('close', () => clearInterval(timer));
}

/** Advertises refs without an end, as a Git server over HTTP does. */
function advertiseEndlessRefs(response: ServerResponse): void {
  const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
  response.setHeader('content-type', 'application/x-git-upload-pack-advertisement');
  response.write(`${line('# service=git-upload-pack\n')}0000`);
  let count = 0;
  const write = () => {
    while (!response.destroyed) {
      let text = '';
      for (let ref = 0; ref < 1_000; ref += 1, count += 1) {
        const id = count.toString(16).padStart(40, '0');
        const capabilities = count === 0 ? '\0symref=HEAD:refs/heads/main' : '';
        text += line(`${id} refs/heads/${'x'.repeat(200)}${count}${capabilities}\n`);
      }
      if (!response.write(text)) return void response.once('drain', write);
    }
  };
  write();
}

/** Returns the resident memory of a process and its child processes, in MB. */
async function residentMb(pid: number): Promise<number> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const processes = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
      const [, parent, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return { pid: Number(name), parent: Number(parent), bytes: Number(rest[19] ?? 0) * 4_096 };
    }),
  );
  const within = new Set([pid]);
  for (let before = 0; before !== within.size; ) {
    before = within.size;
    for (const it of processes) if (within.has(it.parent)) within.add(it.pid);
  }
  return processes.reduce((sum, it) => sum + (within.has(it.pid) ? it.bytes : 0), 0) / MB;
}

test('a worker stays below its limit under every upstream that wants its memory', async () => {
  const upstream = await startScriptedServer();
  upstream.answer('honest', (response) => {
    const name = `honest-${Math.floor(Date.now() / 1_000)}`;
    response.end(JSON.stringify({ servers: [{ name, version: '1.0.0', description: 'x' }] }));
  });
  upstream.answer('idle', goIdle);
  upstream.answer('chunks', sendTinyChunks);
  upstream.answer('drip', drip);
  upstream.answer('refs', advertiseEndlessRefs);
  const hostile = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${name}-${index}`,
      file: { url: `${upstream.url}/${name}/${index}`, timeout: '10m' },
      syncPolicy: { interval: '10s' },
    }));
  const refs = Array.from({ length: 2 }, (_, index) => ({
    name: `refs-${index}`,
    git: { repository: `${upstream.url}/refs/${index}.git` },
    syncPolicy: { interval: '10s' },
  }));
  const system = await startSystem({
    workers: 1,
    env: {
      ...OPS_ENV,
      SYNCLINE_MEMORY: `${LIMIT_MB}MB`,
      SYNCLINE_DATA_DIR: await temporaryDirectory(),
    },
    config: {
      registries: [
        {
          name: 'honest',
          file: { url: `${upstream.url}/honest` },
          syncPolicy: { interval: `${HONEST_INTERVAL_S}s` },
        },
        ...hostile('idle', IDLE_BODIES),
        ...hostile('chunks', 2),
        ...hostile('drip', 2),
        ...refs,
      ],
    },
  });
  const [worker] = system.workers;
  if (worker === undefined) throw new Error('expected a worker');
  const url = await opsUrl(worker);
  await untilComplete(system.client, 'honest');

  let mostMb = 0;
  let mostWaiting = 0;
  let latestS = 0;
  const synced = new Set<string | undefined>();
  const untilMs = performance.now() + ATTACK_MS;
  while (performance.now() < untilMs || synced.size < LEAST_SYNCS) {
    mostMb = Math.max(mostMb, await residentMb(worker.pid));
    const { status } = await system.client.registry('honest');
    synced.add(status.lastSuccessAt);
    latestS = Math.max(latestS, (Date.now() - Date.parse(status.lastSuccessAt ?? '')) / 1_000);
    const metrics = await readMetrics(url);
    mostWaiting = Math.max(mostWaiting, metrics.get('syncline_runs_waiting{for="memory"}') ?? 0);
    await sleep(200);
  }
  const codes = new Map<string, string | undefined>();
  for (const name of ['idle-0', 'chunks-0', 'drip-0', 'refs-0']) {
    const run = await untilRun(system.client, name, ({ outcome }) => outcome === 'failed');
    codes.set(name, run.error?.code);
  }
  const figures = { limitMb: LIMIT_MB, mostMb: Math.round(mostMb), latestS: Math.round(latestS) };
  process.stderr.write(`${JSON.stringify({ ...figures, mostWaiting, codes: [...codes] })}\n`);
  expect(worker.running).toBe(true);
  expect(mostMb).toBeLessThan(LIMIT_MB * MARGIN);
  // Which limit ends a run first depends on the speed of the machine.
  for (const code of codes.values()) {
    expect(['source-too-slow', 'source-too-large', 'run-out-of-memory']).toContain(code);
  }
});
