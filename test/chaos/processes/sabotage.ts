/**
 * The changes that remove a mechanism from the scripts, to prove that the checker finds the violation. The scripts
 * are read when their module is loaded, so apply the changes before that.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Sabotage } from '../plan.ts';

const CHANGES: Readonly<Record<Sabotage, readonly (readonly [from: string, to: string])[]>> = {
  fence: [
    ['if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then', 'if false then'],
    ['if token ~= ARGV[1] then return 0 end', ''],
  ],
  lease: [['if stored[2] and leaseUntil > nowMs then', 'if false then']],
  sweep: [['return neglected', 'return {}']],
  // The watchdog is not a script.
  watchdog: [],
};

export function sabotageScripts(sabotage: Sabotage): void {
  const { readFileSync } = fs;
  const read = (...args: Parameters<typeof readFileSync>) => {
    const content = readFileSync(...args);
    if (typeof content !== 'string' || !String(args[0]).endsWith('.lua')) return content;
    return CHANGES[sabotage].reduce((text, [from, to]) => text.replaceAll(from, to), content);
  };
  Object.assign(fs, { readFileSync: read });
  syncBuiltinESMExports();
}

/** Makes a scheduler create its schedules once and never check them again. */
export async function sabotageWatchdog(): Promise<void> {
  const { ScheduleReconciler } = await import('@syncline/redis');
  const { reconcile } = ScheduleReconciler.prototype;
  let isMade = false;
  ScheduleReconciler.prototype.reconcile = async function reconcileOnce(...args) {
    if (isMade) return { added: 0, retimed: 0, removed: 0, healed: 0 };
    isMade = true;
    return reconcile.apply(this, args);
  };
}
