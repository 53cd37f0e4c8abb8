import { getPriority, setPriority } from 'node:os';

const LOWEST = 19;
const STEP = 10;

/** Lets readers on the same core run first: attackers must not delay them there, because only the fleet is measured. */
export function yieldToReaders(): void {
  setPriority(Math.min(LOWEST, getPriority() + STEP));
}
