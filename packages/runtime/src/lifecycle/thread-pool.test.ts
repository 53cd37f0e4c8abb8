import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

test('threads stay free when the maximum number of file calls hang', () => {
  const directory = mkdtempSync(join(tmpdir(), 'syncline-pool-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const pipe = join(directory, 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
  const script = `
    import { open, stat } from 'node:fs/promises';
    import { FILE_CALL_THREADS } from './lifecycle/thread-pool.ts';
    // Opening a pipe for reading blocks a thread until somebody writes.
    for (let call = 0; call < FILE_CALL_THREADS; call += 1) void open(${JSON.stringify(pipe)}, 'r');
    await stat('.');
    process.stdout.write('answered', () => process.kill(process.pid, 'SIGKILL'));
  `;
  let output = '';
  try {
    execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      timeout: 200_000,
      killSignal: 'SIGKILL',
    });
  } catch (error) {
    output = String(error instanceof Error && 'stdout' in error ? error.stdout : error);
  }
  expect(output).toBe('answered');
});
