import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, onTestFinished, test } from 'vitest';

type Child = ChildProcessByStdio<null, Readable, Readable>;

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
const children = new Set<Child>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

interface Running {
  readonly child: Child;
  /** Resolves when the child has logged a message with this prefix. */
  logged(message: string): Promise<Record<string, unknown>>;
  readonly ended: Promise<{ code: number | null; stderr: string; messages: string[] }>;
}

/** Runs `body` as the start function of a process. */
function run(body: string, env: Record<string, string> = {}, options = ''): Running {
  const script = `
    import { setTimeout as delay } from 'node:timers/promises';
    import { SynclineError } from '@syncline/contract';
    import { readinessOf, runProcess } from './src/index.ts';
    const service = { name: 'test', readiness: async () => readinessOf([]), stop: async () => {} };
    await runProcess('test', async (context) => { ${body} }, { stopDeadlineMs: 300, ${options} });
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    cwd: packageRoot,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const lines: Record<string, unknown>[] = [];
  const { stdout, stderr } = child;
  const errors: string[] = [];
  stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const reader = createInterface({ input: stdout });
  reader.on('line', (line) => lines.push(JSON.parse(line)));
  const find = (message: string) => lines.find(({ msg }) => String(msg).startsWith(message));
  return {
    child,
    logged: async (message) => {
      for (;;) {
        const line = find(message);
        if (line !== undefined) return line;
        await Promise.race([
          once(reader, 'line'),
          once(child, 'close').then(() => {
            if (find(message) !== undefined) return;
            throw new Error(`ended without logging "${message}": ${errors.join('')}`);
          }),
        ]);
      }
    },
    ended: once(child, 'close').then(([code]) => ({
      code: typeof code === 'number' ? code : null,
      stderr: errors.join(''),
      messages: lines.map(({ msg }) => String(msg)),
    })),
  };
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s stops a process cleanly, with exit status 0',
  async (signal) => {
    const { child, logged, ended } = run(`
    return { ...service, stop: async () => { await delay(20); context.logger.info('cleaned up'); } };
  `);
    await logged('started');
    child.kill(signal);
    expect(await ended).toEqual({
      code: 0,
      stderr: '',
      messages: ['started', 'stopping', 'cleaned up', 'stopped'],
    });
  },
);

test('a second signal during the stop is ignored', async () => {
  const { child, logged, ended } = run(`
    return { ...service, stop: async () => { await delay(150); } };
  `);
  await logged('started');
  child.kill('SIGINT');
  await logged('stopping');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, messages: ['started', 'stopping', 'stopped'] });
});

test('a process whose stop hangs exits at the deadline, with status 1', async () => {
  const { child, logged, ended } = run(`
    return { ...service, stop: () => new Promise(() => {}) };
  `);
  await logged('started');
  child.kill('SIGTERM');
  const { code, messages } = await ended;
  expect(code).toBe(1);
  expect(messages.at(-1)).toBe('did not stop within 300 ms, ending now');
});

const HANGS_ON_STOP = `return { ...service, stop: () => new Promise(() => {}) };`;
const CALLED_HERE = `
  const { open } = await import('node:fs/promises');
  void open(pipe, 'r');
`;
const CALLED_IN_A_THREAD = `
  const { MessageChannel, Worker } = await import('node:worker_threads');
  const { port1, port2 } = new MessageChannel();
  const script = "require('node:fs').openSync(require('node:worker_threads').workerData.pipe, 'r')";
  const data = { workerData: { pipe, port2 }, transferList: [port2] };
  const thread = new Worker(script, { eval: true, execArgv: [], ...data });
  await new Promise((resolve) => thread.once('online', resolve));
  thread.unref();
  port1.on('message', () => {});
`;

test.each([
  ['on the main thread, clean stop', CALLED_HERE, 'return service;'],
  ['on the main thread, hanging stop', CALLED_HERE, HANGS_ON_STOP],
  ['on a worker thread, clean stop', CALLED_IN_A_THREAD, 'return service;'],
  ['on a worker thread, hanging stop', CALLED_IN_A_THREAD, HANGS_ON_STOP],
])(
  'a file system call that never returns does not keep a process from ending: %s',
  async (_what, call, body) => {
    const directory = mkdtempSync(join(tmpdir(), 'syncline-hanging-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const pipe = join(directory, 'pipe');
    // Opening a pipe for reading blocks a thread until somebody writes.
    execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
    const { child, logged, ended } = run(`
      const pipe = ${JSON.stringify(pipe)};
      ${call}
      ${body}
    `);
    await logged('started');
    child.kill('SIGTERM');
    const { code, messages } = await ended;
    expect(code).toBeNull();
    expect(messages.at(-1)).toMatch(/^stopped|^did not stop/);
  },
);

test('a signal during the start stops a process', async () => {
  const { child, logged, ended } = run(`
    context.logger.info('starting');
    await delay(150);
    return { ...service, stop: async () => context.logger.info('cleaned up') };
  `);
  await logged('starting');
  child.kill('SIGTERM');
  const { code, messages } = await ended;
  expect(code).toBe(0);
  expect(messages).toContain('cleaned up');
});

test('a service that starts after the signal has its full time to stop', async () => {
  const body = `
    context.logger.info('starting');
    await delay(700);
    return { ...service, stop: () => delay(700) };
  `;
  const { child, logged, ended } = run(body, {}, 'stopDeadlineMs: 1_000');
  await logged('starting');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
});

test('a signal ends a process whose start hangs', async () => {
  const { child, logged, ended } = run(`
    context.logger.info('starting');
    await new Promise(() => {});
    return service;
  `);
  await logged('starting');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 1 });
});

test('an invalid environment ends a process with status 2 and a plain message', async () => {
  const { ended } = run('return service;', { PORT: 'many' });
  expect(await ended).toEqual({
    code: 2,
    stderr: 'PORT: use a whole number from 0 to 65535\n',
    messages: [],
  });
});

test('an invalid config ends a process with status 2 and a plain message', async () => {
  const { ended } = run(`throw new SynclineError('config-invalid', 'syncline.yaml:1:1: no');`);
  expect(await ended).toEqual({ code: 2, stderr: 'syncline.yaml:1:1: no\n', messages: [] });
});

test('a failed start ends a process with status 1, and the log says why', async () => {
  const { logged, ended } = run(`throw new Error('no Redis');`);
  expect(await logged('failed')).toMatchObject({ level: 'fatal', err: { message: 'no Redis' } });
  expect(await ended).toMatchObject({ code: 1 });
});

test('a failed start is reported by the program, which may override the environment', async () => {
  const { ended } = run(
    `throw new Error(context.env.configPath + ' ' + context.env.logLevel);`,
    { SYNCLINE_CONFIG: 'of-the-environment' },
    `env: { overrides: { SYNCLINE_CONFIG: 'given' }, defaults: { LOG_LEVEL: 'warn' } },
     reportFailure: (error) => process.stderr.write('told: ' + error.message)`,
  );
  expect(await ended).toEqual({ code: 1, stderr: 'told: given warn', messages: [] });
});

test.each([
  ['uncaught exception', `setImmediate(() => { throw new Error('oops'); });`],
  ['unhandled rejection', `void Promise.reject(new Error('oops'));`],
])('an %s ends a process with status 1, and the log says so', async (event, body) => {
  const { logged, ended } = run(`${body} return service;`);
  expect(await logged(event)).toMatchObject({ level: 'fatal', err: { message: 'oops' } });
  expect(await ended).toMatchObject({ code: 1 });
});

test('the ops server listens from before the start until after the stop', async () => {
  const { child, logged, ended } = run(
    `
    const told = new Promise((resolve) => process.once('SIGUSR2', resolve));
    context.logger.info('starting');
    await told;
    return { ...service, readiness: async () => readinessOf(['busy']) };
  `,
    { SYNCLINE_OPS_PORT: '0' },
  );
  const { port } = await logged('ops server listening');
  await logged('starting');
  const readiness = async () => {
    const response = await fetch(`http://127.0.0.1:${String(port)}/readiness`);
    return { status: response.status, body: await response.json() };
  };
  expect(await readiness()).toEqual({
    status: 503,
    body: { ready: false, problems: ['test: starting'] },
  });
  child.kill('SIGUSR2');
  await logged('started');
  expect(await readiness()).toMatchObject({ status: 503, body: { problems: ['busy'] } });
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
  await expect(readiness()).rejects.toThrow();
});

test('a misspelled variable is logged at the start, without its value', async () => {
  const { logged } = run('return service;', { SYNCLINE_CREDENTIAL_DIR: '/planted' });
  const line = await logged('unknown environment variables ignored');
  expect(line).toMatchObject({ level: 'warn', variables: ['SYNCLINE_CREDENTIAL_DIR'] });
  expect(JSON.stringify(line)).not.toContain('planted');
});
