import { readdirSync, readFileSync } from 'node:fs';
import { until } from '../until.ts';

/** Set for each process that a test starts, and inherited by whatever that one starts. */
export const TAG_VARIABLE = 'SYNCLINE_TEST_PROCESS';
const GRACE_MS = 30_000;

interface Found {
  readonly pid: number;
  readonly command: string;
}

/**
 * Looks for processes that a test's process has left behind, after giving them a moment to end, and
 * kills them. Only where there is `/proc`.
 *
 * @throws naming them, so that the test fails
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

/** Empty where the process is gone, or is not ours to look at. */
function readProcFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** Ends a process by its id, if it has not ended by itself. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone, which is what is wanted.
  }
}
