import { readdirSync, readFileSync } from 'node:fs';
import { until } from '../until.ts';

/** A variable that is set for each process that a test starts. Child processes inherit it. */
export const TAG_VARIABLE = 'TEST_PROCESS_OF_SYNCLINE';
const GRACE_MS = 30_000;

interface Found {
  readonly pid: number;
  readonly command: string;
}

/**
 * Finds the child processes that a test's process has left behind, gives them a moment to end, and kills them.
 * Works only with `/proc`.
 *
 * @throws an error with their names, so that the test fails
 */
export async function failOnLeaks(
  tag: string,
  { startedBy, graceMs = GRACE_MS }: { startedBy: string; graceMs?: number | undefined },
): Promise<void> {
  try {
    await until(() => taggedProcesses(tag).length === 0, { what: 'the end', timeoutMs: graceMs });
  } catch {
    const leaked = taggedProcesses(tag);
    for (const { pid } of leaked) killIfThere(pid);
    const list = leaked.map(({ pid, command }) => `${pid} (${command})`).join(', ');
    if (leaked.length > 0) throw new Error(`${startedBy} left behind ${list}`);
  }
}

function taggedProcesses(tag: string): Found[] {
  const wanted = `${TAG_VARIABLE}=${tag}`;
  return processIds().flatMap((pid) => {
    const environment = readProcFile(pid, 'environ').split('\0');
    if (!environment.includes(wanted)) return [];
    return [{ pid, command: readProcFile(pid, 'cmdline').replaceAll('\0', ' ').trim() }];
  });
}

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Reads a file in `/proc`. Returns an empty text if the process has ended or belongs to another user. */
function readProcFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** Kills a process by its id if it is still running. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has already ended.
  }
}
