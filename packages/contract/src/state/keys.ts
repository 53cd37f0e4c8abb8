import type { SyncStatus } from './status.ts';

/** The name of the sync queue. Fixed: other services add jobs to it with any BullMQ library. */
export const QUEUE_NAME = 'registry-sync';
/** The name of each job in the sync queue. Fixed, like the queue's name. */
export const JOB_NAME = 'sync';
/** The name of the preview queue. Its payload is internal and may change. */
export const PREVIEW_QUEUE_NAME = 'registry-preview';

/**
 * Returns the names of all Redis keys. No other function builds them. The braces are Redis Cluster hash tags: all keys
 * of one registry lie in one slot, so that one script can use them together.
 */
export function redisKeys(prefix: string) {
  const registryKey = (registry: string, suffix: string) => `${prefix}:{${registry}}:${suffix}`;
  const ofRegistry = {
    /** Hash: the status, with the lease. */
    status: (registry: string) => registryKey(registry, 'status'),
    /** Hash: what operators and requesters want. */
    control: (registry: string) => registryKey(registry, 'control'),
    /** Stream: one entry for each run. The entry id is `<term>-0`. */
    runs: (registry: string) => registryKey(registry, 'runs'),
    /** String: the digest of the served manifest. */
    snapshot: (registry: string) => registryKey(registry, 'snapshot'),
    /** Hash: maps digests to manifest bytes. */
    snapshotManifests: (registry: string) => registryKey(registry, 'snapshot:manifests'),
    /** Hash: maps digests to chunk bytes. */
    snapshotChunks: (registry: string) => registryKey(registry, 'snapshot:chunks'),
    /** Sorted set: manifest digests. Score: when a newer manifest replaced it (ms), or +inf while it is served. */
    snapshotHistory: (registry: string) => registryKey(registry, 'snapshot:history'),
  };
  return {
    /** The key prefix for BullMQ. */
    queuePrefix: `{${prefix}:queue}`,
    /** String: the digest of the current config. */
    config: `${prefix}:config`,
    /** String: the config with that digest, as JSON. */
    configDocument: (digest: string) => `${prefix}:config:${digest}`,
    /** String: how many configs this Redis has put in force. A number below a scheduler's own means lost data. */
    configEdition: `${prefix}:config-edition`,
    /** String: exists as long as this Redis keeps its data. Without it, Redis has started empty. */
    epoch: `${prefix}:epoch`,
    /** Sorted set: registries with data here. Score: when the config dropped the registry (ms), or 0 before that. */
    registries: `${prefix}:registries`,
    /** Hash: the bytes of the manifests and chunks of each registry. The field with the empty name is their sum. */
    storedBytes: `${prefix}:stored-bytes`,
    /** String with expiry: the worker that sweeps now. */
    sweepTurn: `${prefix}:sweep`,
    /** String with expiry: the scheduler that last compared the schedules with the config. */
    scheduler: `${prefix}:scheduler`,
    /** Hash with expiry: maps workers to their waiting runs, as JSON. Only workers whose runs wait long. */
    waits: `${prefix}:waits`,
    /** String with expiry: a worker's answer to a preview, as JSON. */
    previewAnswer: (id: string) => `${prefix}:preview:${id}`,
    /** Sorted set: running requests to a host with a budget. The score is the latest end of each request (ms). */
    requestPlaces: (host: string) => `${prefix}:{host:${host}}:places`,
    /** String with expiry: when the last request to a host with a budget starts (µs). The time may be in the future. */
    lastRequest: (host: string) => `${prefix}:{host:${host}}:last`,
    ...ofRegistry,
    /** Returns all keys of a registry, to delete them together. */
    allOfRegistry: (registry: string) => Object.values(ofRegistry).map((key) => key(registry)),
  } as const;
}

export type RedisKeys = ReturnType<typeof redisKeys>;

/** The exclusive right to run a registry. Every write under the lease has the fencing token `<term>:<owner>`. */
export interface Lease {
  readonly registry: string;
  /** Grows with each lease of the registry. A decimal number with up to 16 digits. */
  readonly term: string;
  readonly owner: string;
}

/** `<term>:<owner>`. Every write compares it with the stored token. */
export type FencingToken = string;

export function fencingToken(lease: Pick<Lease, 'term' | 'owner'>): FencingToken {
  return `${lease.term}:${lease.owner}`;
}

/** Returns the token in a status. An ended run leaves a term without an owner. Before the first run: `undefined`. */
export function storedToken(status: SyncStatus | undefined): FencingToken | undefined {
  if (status?.term === undefined) return undefined;
  return fencingToken({ term: status.term, owner: status.owner ?? '' });
}

export function runId(registry: string, term: string): string {
  return `${registry}:${term}`;
}
