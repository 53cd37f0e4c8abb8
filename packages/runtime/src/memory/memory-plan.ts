import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { SynclineError } from '@syncline/contract';

const MIB = 1024 * 1024;
/** The least total with which a process works. */
export const LEAST_MEMORY_BYTES = 256 * MIB;
/** What a process needs without any load: code, heap, buffers of sockets, and one idle thread. Measured. */
const BASE_BYTES = 128 * MIB;
const CACHE_SHARE = 1 / 4;
const CONTAINER_SHARE = 0.7;
const MACHINE_SHARE = 1 / 8;
const LEAST_DEFAULT_BYTES = 512 * MIB;

/** How a process divides its memory. The parts add up to the total. */
export interface MemoryPlan {
  /** The limit of the resident memory of the process and its child processes, without the embedded Redis. */
  readonly totalBytes: number;
  readonly baseBytes: number;
  /** For the caches and the answers of the api. */
  readonly cacheBytes: number;
  /** For runs: bodies, threads, rows and git processes. */
  readonly ingestBytes: number;
}

/** Divides the memory of a process. @throws SynclineError `config-invalid` if the total is too small */
export function planMemory({ totalBytes }: Pick<MemoryPlan, 'totalBytes'>): MemoryPlan {
  if (totalBytes < LEAST_MEMORY_BYTES) {
    const what = `SYNCLINE_MEMORY: ${totalBytes} bytes are too little`;
    throw new SynclineError('config-invalid', what, { expected: '256MiB or more' });
  }
  const cacheBytes = Math.floor((totalBytes - BASE_BYTES) * CACHE_SHARE);
  const ingestBytes = totalBytes - BASE_BYTES - cacheBytes;
  return { totalBytes, baseBytes: BASE_BYTES, cacheBytes, ingestBytes };
}

/** What the system says about its memory. */
export interface MachineMemory {
  /** The limit of the container. `undefined` without one. */
  readonly containerBytes: number | undefined;
  readonly machineBytes: number;
}

/** Returns 70 % of the container's limit. Without one, returns an eighth of the machine's memory, at least 512 MB. */
export function defaultMemoryBytes({ containerBytes, machineBytes }: MachineMemory): number {
  const bytes =
    containerBytes === undefined
      ? Math.max(LEAST_DEFAULT_BYTES, machineBytes * MACHINE_SHARE)
      : Math.max(LEAST_MEMORY_BYTES, containerBytes * CONTAINER_SHARE);
  return Math.floor(bytes);
}

/** The files with the limit of the process's own cgroup, as a container sees them: version 2, then version 1. */
const LIMIT_FILES = [
  '/sys/fs/cgroup/memory.max',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes',
] as const;

/** Reads the limits of the machine and of the container. */
export function readMachineMemory(
  read: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): MachineMemory {
  const machineBytes = totalmem();
  const limits = [...ownGroupFiles(read), ...LIMIT_FILES].flatMap((path) => {
    try {
      // Version 2 says `max` if there is no limit. Version 1 then says a number near 2^63.
      const bytes = Number(read(path).trim());
      return bytes > 0 && bytes < machineBytes ? [bytes] : [];
    } catch {
      return [];
    }
  });
  return { machineBytes, containerBytes: limits.length === 0 ? undefined : Math.min(...limits) };
}

/** Outside of a container, the limits of a service lie below the root: its own group, and the groups around it. */
function ownGroupFiles(read: (path: string) => string): string[] {
  try {
    const [, path = '/'] = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup')) ?? [];
    const parts = path.split('/').filter((part) => part !== '' && part !== '..');
    return parts.map((_part, index) => {
      const group = parts.slice(0, index + 1).join('/');
      return `/sys/fs/cgroup/${group}/memory.max`;
    });
  } catch {
    return [];
  }
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: MIB,
  gib: 1024 * MIB,
};

/** Returns the number of bytes of a text such as `512MB` or `2GiB`; `undefined` if it has another form. */
export function parseBytes(text: string): number | undefined {
  const [, number = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?)\s*([a-z]*)$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  return number === '' || factor === undefined ? undefined : Math.floor(Number(number) * factor);
}
