import { expect, test } from 'vitest';
import {
  defaultMemoryBytes,
  LEAST_MEMORY_BYTES,
  parseBytes,
  planMemory,
  readMachineMemory,
} from './memory-plan.ts';

const GIB = 1024 ** 3;

test.each([
  ['512MB', 512_000_000],
  ['2GiB', 2 * GIB],
  ['1.5 gib', 1.5 * GIB],
  ['300000000', 300_000_000],
  ['512 MiB', 512 * 1024 ** 2],
  ['', undefined],
  ['-1GB', undefined],
  ['1TB', undefined],
  ['half', undefined],
])('%j is %s bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([LEAST_MEMORY_BYTES, 512_000_000, 3 * GIB])(
  'the parts of a plan of %i bytes add up to the total',
  (totalBytes) => {
    const { baseBytes, cacheBytes, ingestBytes } = planMemory({ totalBytes });
    expect(baseBytes + cacheBytes + ingestBytes).toBe(totalBytes);
    expect(Math.min(baseBytes, cacheBytes, ingestBytes)).toBeGreaterThan(0);
  },
);

test('a total that is too small is refused', () => {
  expect(() => planMemory({ totalBytes: LEAST_MEMORY_BYTES - 1 })).toThrow('Use 256MiB or more');
});

test.each<[what: string, container: number | undefined, machine: number, expected: number]>([
  ['most of the container', GIB, 24 * GIB, Math.floor(0.7 * GIB)],
  ['an eighth of the machine', undefined, 24 * GIB, 3 * GIB],
  ['at least 512 MB of a small machine', undefined, GIB, 512 * 1024 ** 2],
])('the default is %s', (_what, containerBytes, machineBytes, expected) => {
  expect(defaultMemoryBytes({ containerBytes, machineBytes })).toBe(expected);
});

test.each<[what: string, files: Record<string, string>, bytes: number | undefined]>([
  ['version 2', { '/sys/fs/cgroup/memory.max': '1073741824\n' }, GIB],
  ['version 2 without a limit', { '/sys/fs/cgroup/memory.max': 'max\n' }, undefined],
  ['version 1', { '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1073741824\n' }, GIB],
  [
    'version 1 without a limit',
    { '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n' },
    undefined,
  ],
  [
    'a service',
    {
      '/proc/self/cgroup': '0::/system.slice/syncline.service\n',
      '/sys/fs/cgroup/system.slice/syncline.service/memory.max': '1073741824\n',
    },
    GIB,
  ],
  ['no cgroups', {}, undefined],
])('the limit of the container is read from %s', (_what, files, bytes) => {
  const read = (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Error('ENOENT');
    return text;
  };
  expect(readMachineMemory(read).containerBytes).toBe(bytes);
});
