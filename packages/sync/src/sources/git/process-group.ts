import { setTimeout as sleep } from 'node:timers/promises';

/** How long processes have to end in order: git takes away its own lock files meanwhile. */
const TERM_GRACE_MS = 2_000;
/** Nothing outlives SIGKILL for long, but what nobody reaps: in a container whose first process does not. */
const KILL_GRACE_MS = 3_000;
const LOOK_EVERY_MS = 10;

/**
 * Ends a process that leads a group, and all others of that group.
 *
 * @returns when none of them is left
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
    if (!signalGroup(leader, 0)) return true;
    await sleep(LOOK_EVERY_MS);
  }
  return false;
}

/** @returns whether there is anybody left to take it */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
