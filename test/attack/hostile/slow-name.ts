/** A name that resolves slowly to a private address, in processes that preload `processes/slow-names.ts`. */
export const SLOW_NAME = 'slow.attack.example';
