import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long processes have to end in order: git takes away its own lock files meanwhile. */
const TERM_GRACE_MS = 2_000;
/** Nothing outlives SIGKILL for long. */
const KILL_GRACE_MS = 3_000;
const LOOK_EVERY_MS = 10;

/**
 * Ends a process that leads a group, and all others of that group.
 *
 * @returns when none of them is running
 */
export async function endProcessGroup(leader: number): Promise<void> {
  for (const [signal, graceMs] of [
    ['SIGTERM', TERM_GRACE_MS],
    ['SIGKILL', KILL_GRACE_MS],
  ] as const) {
    if (!signalGroup(leader, signal)) return;
    if (await isGone(leader, graceMs)) return;
  }
}

async function isGone(leader: number, withinMs: number): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (performance.now() < untilMs) {
    if (!signalGroup(leader, 0) || !(await isAnyRunning(leader))) return true;
    await sleep(LOOK_EVERY_MS);
  }
  return false;
}

/** What a group has of the machine's memory; 0 without `/proc`. */
export async function groupMemoryBytes(leader: number): Promise<number> {
  const members = await membersOf(leader);
  return (members ?? []).reduce((total, { memoryBytes }) => total + memoryBytes, 0);
}

/**
 * Whether one of a group is more than an entry in the table of processes: orphans stay there until the
 * first process of the machine, or of the container, gets round to them. Without `/proc`: yes.
 */
async function isAnyRunning(leader: number): Promise<boolean> {
  const members = await membersOf(leader);
  return members === undefined || members.some(({ state }) => state !== 'Z');
}

interface Member {
  readonly group: number;
  readonly state: string;
  readonly memoryBytes: number;
}

async function membersOf(leader: number): Promise<Member[] | undefined> {
  const names = await readdir('/proc').catch(() => undefined);
  if (names === undefined) return undefined;
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return found.filter(({ group }) => group === leader);
}

const PAGE_BYTES = 4_096;
/** Where proc(5) has the pages that are resident, counted from the state. */
const RESIDENT_FIELD = 21;

async function readProcess(pid: string): Promise<Member> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // After the name, which stands in parentheses and may hold anything: state, parent, group.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', , group] = fields;
  const memoryBytes = Number(fields[RESIDENT_FIELD] ?? 0) * PAGE_BYTES;
  return { state, group: Number(group), memoryBytes };
}

/** @returns whether there is anybody left to take it */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
