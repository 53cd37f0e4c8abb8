import { readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** The position of a thread's processor times among the fields of proc(5), counted from the state. */
const USER_TIME_FIELD = 11;
const SYSTEM_TIME_FIELD = 12;
/** Linux counts in hundredths of a second on all platforms of Node. */
const MS_PER_TICK = 10;

/** Returns the system's number of the calling thread; 0 on systems without `/proc`. */
export function ownThreadNumber(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return 0;
  }
}

/** Returns the processor time that a thread of this process has used; `undefined` if it is unknown. */
export async function threadCpuMs(threadNumber: number): Promise<number | undefined> {
  const path = `/proc/self/task/${threadNumber}/stat`;
  const text = await readFile(path, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[USER_TIME_FIELD]) + Number(fields[SYSTEM_TIME_FIELD]);
  return Number.isNaN(ticks) ? undefined : ticks * MS_PER_TICK;
}
