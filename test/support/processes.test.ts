import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Lifetime } from './lifetime.ts';
import { startProcess } from './processes.ts';
import { projectRoot } from './project.ts';
import { temporaryDirectory } from './temporary.ts';
import { until } from './until.ts';

async function program(source: string): Promise<string> {
  const file = path.join(await temporaryDirectory(), 'program.mjs');
  await writeFile(file, source);
  return path.relative(projectRoot, file);
}

const LOGGING = `
  process.on('SIGTERM', () => process.exit(3));
  console.log('plain text');
  console.log(JSON.stringify({ level: 'info', msg: 'started', env: Object.keys(process.env) }));
  let count = 0;
  setInterval(() => console.log(JSON.stringify({ level: 'debug', msg: 'tick', count: (count += 1) })), 5);
`;

test('a process starts with a clean environment, and its log is captured', async () => {
  const entry = await program(LOGGING);
  const running = await startProcess({ name: 'logger', entry, env: { GIVEN: '1' } });
  const line = await running.waitForLog(({ msg }) => msg === 'started');
  expect(line['env']).toEqual([
    'PATH',
    'HOME',
    'NODE_COMPILE_CACHE',
    'GIVEN',
    'TEST_PROCESS_OF_SYNCLINE',
  ]);
  expect(running.output.lines[0]).toBe('plain text');
  expect(await running.stop()).toEqual({ code: 3, signal: null });
  expect(running.running).toBe(false);
});

test('a wait for a log line fails with the exit status and the output if the process ends', async () => {
  const entry = await program(`console.error('no config'); process.exitCode = 2;`);
  const running = await startProcess({ name: 'broken', entry });
  await expect(running.waitForLog(() => true, { what: 'anything' })).rejects.toThrow(
    'broken ended with 2 before it logged anything; its last lines:\nno config',
  );
});

test('a process can be frozen and resumed', async () => {
  const running = await startProcess({ name: 'ticker', entry: await program(LOGGING) });
  await running.waitForLog(({ msg }) => msg === 'tick');
  running.pause();
  await until(() => processState(running.pid) === 'T', { what: 'a stopped process' });
  running.resume();
  const seen = running.output.logs.length;
  await until(() => running.output.logs.length > seen, { what: 'further lines' });
  expect(await running.kill()).toEqual({ code: null, signal: 'SIGKILL' });
});

test('processes are killed at the end of a test, which fails if a child process is left behind', async () => {
  const ends: (() => Promise<void> | void)[] = [];
  const lifetime: Lifetime = { defer: (end) => void ends.push(end) };
  const entry = await program(`
    import { spawn } from 'node:child_process';
    const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
    console.log(JSON.stringify({ level: 'info', msg: 'spawned', pid: child.pid }));
    setInterval(() => {}, 1000);
  `);
  const running = await startProcess({ name: 'parent', entry, lifetime, graceMs: 500 });
  const { pid } = await running.waitForLog(({ msg }) => msg === 'spawned');
  await expect(ends[0]?.()).rejects.toThrow(`parent left behind ${pid} (sleep 300)`);
  expect(running.running).toBe(false);
  await until(() => processState(Number(pid)) === undefined, { what: 'the end of the child' });
});

function processState(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    return state === 'Z' ? undefined : state;
  } catch {
    return undefined;
  }
}
