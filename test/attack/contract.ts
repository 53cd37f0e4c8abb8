/**
 * The names and limits that the attack suite expects of the system: variables, codes, metrics and promised figures.
 * No other file of the suite has them, so a renamed code or variable changes only this file.
 */

export const VARIABLES = {
  adminTokenFile: 'SYNCLINE_ADMIN_TOKEN_FILE',
  credentialDirs: 'SYNCLINE_CREDENTIAL_DIRS',
  memory: 'SYNCLINE_MEMORY',
  hosts: 'SYNCLINE_HOSTS',
} as const;

/** The admin token of an attacked fleet. Control over HTTP always needs it. */
export const ADMIN_TOKEN = 'attack-suite-admin-token-0123456789abcdef';

/** The limit of resident memory of a process with its child processes, in bytes. */
export const MEMORY_LIMIT_METRIC = 'syncline_memory_limit_bytes';

/** The error codes of runs and answers, by what they name. */
export const CODES = {
  tooLarge: 'source-too-large',
  rowsTooLarge: 'source-row-too-large',
  serverTooLarge: 'source-server-too-large',
  tooDeep: 'source-too-deep',
  tooSlow: 'source-too-slow',
  timeout: 'source-timeout',
  notJson: 'source-not-json',
  notARegistry: 'source-not-a-registry',
  unreachable: 'source-unreachable',
  cursorTooLong: 'source-cursor-too-long',
  cursorRepeated: 'source-cursor-repeated',
  redirectRefused: 'source-redirect-refused',
  addressRefused: 'source-address-refused',
  gitFailed: 'source-git-failed',
  outOfMemory: 'run-out-of-memory',
  runTimeout: 'run-timeout',
  outOfCpu: 'run-cpu-exceeded',
  overQuota: 'registry-over-quota',
  storeOverQuota: 'store-over-quota',
  storeFull: 'store-full',
  overloaded: 'overloaded',
} as const;

/** The statuses with which the api refuses a client that may not do something. */
export const REFUSED_STATUSES: readonly number[] = [401, 403, 421, 429];

/** A log line about an attempt with a wrong token. */
export const WRONG_TOKEN_LOG = /token|unauthorized|sign.?in|authenticat/i;

/** The figures that the system promises under every attack. */
export const PROMISES = {
  /** The share by which a process may exceed its memory limit. */
  memoryTolerance: 0.2,
  /** I4: how much later than its interval a registry may run. */
  lateMs: 60_000,
  /** The reads of others: so many times the undisturbed p99, or so many milliseconds, the greater. */
  readFactor: 5,
  readMs: 50,
  /** The p99 of `/health`. */
  livenessMs: 100,
  /** How soon a run and `doctor` name the cause of a continuing attack. */
  namedWithinMs: 120_000,
} as const;
