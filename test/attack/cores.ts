import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

const ATTACKERS = '0';
const FLEET = '1';

/** Where the processes run. */
export interface Cores {
  /** Says where, for the report. */
  readonly description: string;
  /** Moves a process of the fleet, with all its threads, to the core of the fleet. */
  pinFleet(pid: number): void;
}

/**
 * Separates the attackers from the fleet: moves this process to one core, which its child processes inherit. Does
 * nothing on a machine with one core, or without `taskset`.
 */
export function separateCores(): Cores {
  if (availableParallelism() < 2) return together('the machine has one core');
  try {
    pin(process.pid, ATTACKERS);
  } catch {
    return together('there is no taskset');
  }
  return {
    description: `attackers on core ${ATTACKERS}, fleet on core ${FLEET}`,
    pinFleet: (pid) => pin(pid, FLEET),
  };
}

/** Lets attackers and fleet share all cores. */
export function together(reason: string): Cores {
  return {
    description: `attackers and fleet share the cores: ${reason}`,
    pinFleet: () => {},
  };
}

function pin(pid: number, core: string): void {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', core, String(pid)], {
    stdio: 'ignore',
  });
}
