export { FUZZ, jsonValues, mutated, nearRows } from './fuzz.ts';
export { registryConfig } from './registry-config.ts';
