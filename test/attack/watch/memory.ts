import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { startLoop } from '@syncline/runtime';
import { readMetrics } from '../../support/ops.ts';
import { MEMORY_LIMIT_METRIC } from '../contract.ts';
import type { AttackedFleet, AttackedProcess } from '../fleet.ts';

const SAMPLE_EVERY_MS = 250;
const CONTAINER_SHARE = 0.7;
const MACHINE_SHARE = 1 / 8;
const LEAST_BYTES = 512 * 1_024 ** 2;

/** The memory of a process with its child processes. */
export interface MemoryUse {
  readonly role: AttackedProcess['role'];
  readonly limitBytes: number;
  readonly peakBytes: number;
}

export interface MemoryWatch {
  /** Returns the memory of each process now, without the peak of the kernel. */
  now(): readonly number[];
  /** Returns the peak of each process since the watch has started. */
  peaks(): readonly MemoryUse[];
  stop(): Promise<void>;
}

/** Samples the resident memory of each process of a fleet with its child processes, without Redis. */
export async function watchMemory(fleet: AttackedFleet): Promise<MemoryWatch> {
  const limits = await Promise.all(fleet.processes.map(limitOf));
  const peaks = fleet.processes.map(() => 0);
  for (const { handle } of fleet.processes) forgetPeak(handle.pid);
  const now = () => {
    const children = childrenByParent();
    return fleet.processes.map(({ handle }) =>
      residentOfTree(handle.pid, { children, except: fleet.redisPid }),
    );
  };
  const sample = () => {
    for (const [index, bytes] of now().entries()) {
      const { pid } = fleet.processes[index]?.handle ?? { pid: 0 };
      const peakOfKernel = statusBytes(pid, 'VmHWM');
      peaks[index] = Math.max(peaks[index] ?? 0, bytes, peakOfKernel);
    }
  };
  sample();
  const loop = startLoop({
    everyMs: SAMPLE_EVERY_MS,
    pass: async () => sample(),
    onError: (error) => {
      throw error;
    },
  });
  return {
    now,
    peaks: () =>
      fleet.processes.map(({ role }, index) => ({
        role,
        limitBytes: limits[index] ?? 0,
        peakBytes: peaks[index] ?? 0,
      })),
    stop: () => loop.stop(),
  };
}

/** Returns the limit that a process tells in its metrics, or else the documented default. */
async function limitOf({ opsUrl }: AttackedProcess): Promise<number> {
  const metrics = await readMetrics(opsUrl);
  return metrics.get(MEMORY_LIMIT_METRIC) ?? defaultMemoryLimit();
}

function defaultMemoryLimit(): number {
  const container = containerLimit();
  return container === undefined
    ? Math.max(LEAST_BYTES, totalmem() * MACHINE_SHARE)
    : container * CONTAINER_SHARE;
}

function containerLimit(): number | undefined {
  const limit = Number(readProc('/sys/fs/cgroup/memory.max').trim() || Number.NaN);
  return Number.isFinite(limit) && limit < totalmem() ? limit : undefined;
}

type Children = ReadonlyMap<number, readonly number[]>;

function childrenByParent(): Children {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readProc(`/proc/${name}/stat`);
    // The name of the program may contain spaces and parentheses.
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const siblings = children.get(Number(parent)) ?? [];
    siblings.push(Number(name));
    children.set(Number(parent), siblings);
  }
  return children;
}

function residentOfTree(
  pid: number,
  options: { readonly children: Children; readonly except: number },
): number {
  if (pid === options.except) return 0;
  let bytes = statusBytes(pid, 'VmRSS');
  for (const child of options.children.get(pid) ?? []) bytes += residentOfTree(child, options);
  return bytes;
}

function statusBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const [, kilobytes = '0'] =
    new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readProc(`/proc/${pid}/status`)) ?? [];
  return Number(kilobytes) * 1_024;
}

/** Lets the kernel forget the peak of a process until now. */
function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Without this right, the peak includes the start of the process, which is small.
  }
}

/** Reads a file of the kernel. Returns an empty text if it is missing, for example because the process has ended. */
function readProc(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
