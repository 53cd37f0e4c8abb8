import type { MemoryAccount } from '../memory/memory-account.ts';
import { MemoryBudget } from '../memory/memory-budget.ts';

const AMPLE_BYTES = 4 * 1024 ** 3;

/** Returns the account of a run that never waits for memory. */
export function testMemory(): MemoryAccount {
  return new MemoryBudget({ totalBytes: AMPLE_BYTES }).open('test');
}
