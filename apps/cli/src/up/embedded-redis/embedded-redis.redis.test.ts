import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SynclineError } from '@syncline/contract';
import { createLogger } from '@syncline/runtime';
import { findRedisServer, startRedisProcess } from '@syncline/runtime/redis-server';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isAlive, readRedisFile, readRedisUrl, writeRedisFile } from './redis-file.ts';
import { type EmbeddedRedis, startEmbeddedRedis } from './start-embedded-redis.ts';

const logger = createLogger({ name: 'test', level: 'silent' });
let dataDir: string;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'syncline embedded redis '));
  cleanups.push(() => rm(dataDir, { recursive: true, force: true }));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(): Promise<EmbeddedRedis> {
  const redis = await startEmbeddedRedis({ dataDir, logger });
  cleanups.push(() => redis.stop());
  return redis;
}

/** Logs in, sends one inline command, and returns the reply of Redis. */
async function command(url: string, line: string): Promise<string> {
  const { hostname, port, password } = new URL(url);
  const socket = connect(Number(port), hostname);
  if (password !== '') {
    socket.write(`AUTH ${password}\r\n`);
    await once(socket, 'data');
  }
  socket.write(`${line}\r\n`);
  const closed = once(socket, 'close').then(() => 'closed');
  const answer = await Promise.race([once(socket, 'data'), closed]);
  socket.destroy();
  return String(answer);
}

async function redisConf(): Promise<(readonly [string, string])[]> {
  const file = new URL('../../../../../infra/redis.conf', import.meta.url);
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(/^([a-z]\S+) (.*)$/gm)].map(([, name = '', value = '']) => [
    name,
    value.replace(/^""$/, ''),
  ]);
}

async function redisPid(): Promise<number> {
  const pid = (await readRedisFile(dataDir))?.redisPid;
  if (pid === undefined) throw new Error('redis.json names no Redis');
  return pid;
}

/** Starts another process that runs an embedded Redis on the data directory and prints its URL. */
async function startInChild(
  { ignoresInterrupt } = { ignoresInterrupt: false },
): Promise<ChildProcess> {
  const script = `
    if (${ignoresInterrupt}) process.on('SIGINT', () => {});
    import { createLogger } from '@syncline/runtime';
    import { startEmbeddedRedis } from './start-embedded-redis.ts';
    const redis = await startEmbeddedRedis({
      dataDir: process.argv[1], logger: createLogger({ name: 'test', level: 'silent' }),
    });
    console.log(redis.url);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script, dataDir], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  cleanups.push(async () => child.kill('SIGKILL'));
  await once(createInterface({ input: child.stdout }), 'line');
  return child;
}

describe('an embedded Redis', () => {
  test('listens on loopback, and keeps its files to its owner', async () => {
    const { url } = await start();

    expect(new URL(url).hostname).toBe('127.0.0.1');
    expect(await command(url, 'CONFIG GET bind')).toContain('\r\n127.0.0.1\r\n');
    expect((await stat(join(dataDir, 'redis'))).mode & 0o777).toBe(0o700);
  });

  test('takes commands only with the password in redis.json, which other users cannot read', async () => {
    const { url } = await start();
    const { host, password } = new URL(url);

    expect(password).toMatch(/^[0-9a-f]{64}$/);
    expect(await command(`redis://${host}`, 'SET syncline:config planted')).toContain('NOAUTH');
    expect(await command(url, 'PING')).toContain('PONG');
    for (const name of ['redis.json', 'redis/password.conf', 'up.lock']) {
      expect((await stat(join(dataDir, name))).mode & 0o777, name).toBe(0o600);
    }
  });

  test('gets its password from a file, because everybody can read the command line', async () => {
    const path = join(dataDir, 'fake-redis');
    const script = '#!/bin/sh\necho "arguments: $*"\necho Ready to accept connections\n';
    await writeFile(path, script, { mode: 0o755 });
    const lines: string[] = [];
    const { ended } = await startRedisProcess({
      server: { path, env: {} },
      directory: dataDir,
      password: 'planted1f7c',
      onOutput: (line) => lines.push(line),
    });
    await ended;

    expect(lines.join()).toContain(`arguments: ${join(dataDir, 'password.conf')} --bind`);
    expect(lines.join()).not.toContain('planted1f7c');
  });

  test('has a new password after a restart, and reads the data of a version without one', async () => {
    await mkdir(join(dataDir, 'redis'), { mode: 0o755 });
    const server = await findRedisServer();
    const old = await startRedisProcess({ server, directory: join(dataDir, 'redis') });
    await command(old.url, 'SET kept yes');
    await old.stop();

    const first = await start();
    expect(await command(first.url, 'GET kept')).toContain('yes');
    await first.stop();
    const second = await start();

    expect(new URL(second.url).password).not.toBe(new URL(first.url).password);
    expect(await command(second.url, 'GET kept')).toContain('yes');
  });

  test('does not log its password', async () => {
    const entries: unknown[] = [];
    const record = (...entry: unknown[]) => void entries.push(entry);
    const recording = { debug: record, info: record, error: record };
    const redis = await startEmbeddedRedis({ dataDir, logger: recording });
    cleanups.push(() => redis.stop());

    expect(entries.length).toBeGreaterThan(0);
    expect(JSON.stringify(entries)).not.toContain(new URL(redis.url).password);
  });

  test('has the settings of infra/redis.conf', async () => {
    const { url } = await start();

    const settings = await redisConf();
    expect(settings).toContainEqual(['maxmemory-policy', 'noeviction']);
    for (const [name, value] of settings) {
      expect(await command(url, `CONFIG GET ${name}`), name).toContain(`\r\n${value}\r\n`);
    }
  });

  test('has a maxmemory that follows from the stored bytes', async () => {
    const redis = await startEmbeddedRedis({ dataDir, logger, storedBytes: 70_000_000 });
    cleanups.push(() => redis.stop());
    expect(await command(redis.url, 'CONFIG GET maxmemory')).toContain('\r\n100000000\r\n');
  });

  test('limits its memory by default', async () => {
    const { url } = await start();
    const [, maxmemory] = /\r\n(\d+)\r\n$/.exec(await command(url, 'CONFIG GET maxmemory')) ?? [];
    expect(Number(maxmemory)).toBeGreaterThan(0);
    expect(Number(maxmemory)).toBeLessThanOrEqual((2 * 1024 ** 3) / 0.7 + 1);
  });

  test('keeps its data across restarts', async () => {
    const first = await start();
    await command(first.url, 'SET kept yes');
    await first.stop();

    const second = await start();

    expect(await command(second.url, 'GET kept')).toContain('yes');
  });

  test('writes its URL to a file while it runs', async () => {
    const redis = await start();
    expect(await readRedisUrl(dataDir)).toBe(redis.url);
    const pid = await redisPid();

    await redis.stop();

    expect(await readRedisUrl(dataDir)).toBeUndefined();
    expect(isAlive(pid)).toBe(false);
    await expect(readFile(join(dataDir, 'redis.json'))).rejects.toThrow('ENOENT');
  });

  test('refuses a data directory in use, and names the process', async () => {
    const child = await startInChild();

    const refused = startEmbeddedRedis({ dataDir, logger });

    await expect(refused).rejects.toThrow(SynclineError);
    await expect(refused).rejects.toThrow(`process ${child.pid} uses the data directory `);
  });

  test('is refused for the data directory of its own process, and the first one continues', async () => {
    const redis = await start();

    await expect(startEmbeddedRedis({ dataDir, logger })).rejects.toThrow(`${process.pid}`);

    expect(await command(redis.url, 'PING')).toContain('PONG');
    expect(await readRedisUrl(dataDir)).toBe(redis.url);
  });

  test('ends with its parent, even if the parent is killed, and frees the directory', async () => {
    const child = await startInChild();
    const url = (await readRedisUrl(dataDir)) ?? '';
    const pid = await redisPid();
    expect(await command(url, 'INFO server')).toContain(`process_id:${pid}\r`);

    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await readRedisUrl(dataDir)).toBeUndefined();
    const next = await start();

    // Another Redis may have its port by now.
    const answer = await command(url, 'INFO server').catch(() => 'nobody listens');
    expect(answer).not.toContain(`process_id:${pid}\r`);
    expect(await command(next.url, 'PING')).toContain('PONG');
  });

  test('ends with its parent even if it was frozen', async () => {
    const child = await startInChild();
    process.kill(await redisPid(), 'SIGSTOP');

    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = await start();

    expect(await command(next.url, 'PING')).toContain('PONG');
  });

  test('ignores Ctrl-C, because its parent ends it', async () => {
    const child = await startInChild({ ignoresInterrupt: true });
    const url = (await readRedisUrl(dataDir)) ?? '';

    process.kill(-(child.pid ?? Number.NaN), 'SIGINT');

    // Redis handles signals a hundred times per second, and replies to this command after 0.3 s.
    expect(await command(url, 'BLPOP nothing 0.3')).toContain('*-1');
  });

  test('restarts on the same port, with its data, if Redis itself is killed', async () => {
    const { url } = await start();
    await command(url, 'SET kept yes');
    const killed = await redisPid();

    process.kill(killed, 'SIGKILL');
    await vi.waitFor(async () => expect(await redisPid()).not.toBe(killed));

    expect(await command(url, 'GET kept')).toContain('yes');
  });

  test('does not count as running if a dead process left redis.json', async () => {
    const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(gone, 'exit');

    await writeRedisFile(dataDir, { pid: gone.pid ?? 0, url: 'redis://127.0.0.1:1' });

    expect(await readRedisUrl(dataDir)).toBeUndefined();
  });
});
