import { MemoryBudget } from '@syncline/sources';

const AMPLE_BYTES = 2 * 1024 ** 3;

/** Returns a budget with which no run of a test waits for memory. */
export function testBudget(): MemoryBudget {
  return new MemoryBudget({ totalBytes: AMPLE_BYTES });
}
