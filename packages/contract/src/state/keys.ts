import type { SyncStatus } from './status.ts';

/** The queue's name. Fixed: other services add jobs to it with any BullMQ library. */
export const QUEUE_NAME = 'registry-sync';
/** The name of each job in the queue. Fixed, like the queue's. */
export const JOB_NAME = 'sync';
/** The queue of previews. Its payload is internal and may change. */
export const PREVIEW_QUEUE_NAME = 'registry-preview';

/**
 * Every Redis key name, made here and nowhere else. The braces are Redis Cluster hash tags: all keys of
 * one registry lie in one slot, so that one script can use them together.
 */
export function redisKeys(prefix: string) {
  const registryKey = (registry: string, suffix: string) => `${prefix}:{${registry}}:${suffix}`;
  const ofRegistry = {
    /** Hash: status, and the lease within it. */
    status: (registry: string) => registryKey(registry, 'status'),
    /** Hash: what operators and requesters want. */
    control: (registry: string) => registryKey(registry, 'control'),
    /** Stream: one entry a run, its id the run's term. */
    runs: (registry: string) => registryKey(registry, 'runs'),
    /** String: digest of the manifest that is served. */
    snapshot: (registry: string) => registryKey(registry, 'snapshot'),
    /** Hash: digest to manifest bytes. */
    snapshotManifests: (registry: string) => registryKey(registry, 'snapshot:manifests'),
    /** Hash: digest to chunk bytes. */
    snapshotChunks: (registry: string) => registryKey(registry, 'snapshot:chunks'),
    /** Sorted set: manifest digests, scored with when each was superseded (ms), +inf while served. */
    snapshotHistory: (registry: string) => registryKey(registry, 'snapshot:history'),
  };
  return {
    /** BullMQ's own prefix. */
    queuePrefix: `{${prefix}:queue}`,
    /** String: digest of the config in force. */
    config: `${prefix}:config`,
    /** String: the config of that digest, JSON. */
    configDocument: (digest: string) => `${prefix}:config:${digest}`,
    /** String: how many configs have been put in force here; fewer than a scheduler knows of, and some are lost. */
    configEdition: `${prefix}:config-edition`,
    /** String: present as long as this Redis has kept its data; missing means that it came up empty. */
    epoch: `${prefix}:epoch`,
    /** Sorted set: registries that have data here, scored with when the config dropped them (ms), 0 while it names them. */
    registries: `${prefix}:registries`,
    /** String with expiry: the worker whose turn it is to sweep. */
    sweepTurn: `${prefix}:sweep`,
    /** String with expiry: the scheduler that was the last to hold the schedules against the config. */
    scheduler: `${prefix}:scheduler`,
    /** String with expiry: what a worker has answered to a preview, JSON. */
    previewAnswer: (id: string) => `${prefix}:preview:${id}`,
    /** Sorted set: requests under way at a host with a budget, scored with when each is over at the latest (ms). */
    requestPlaces: (host: string) => `${prefix}:{host:${host}}:places`,
    /** String with expiry: when the last request to a host with a budget begins (µs); it may be ahead. */
    lastRequest: (host: string) => `${prefix}:{host:${host}}:last`,
    ...ofRegistry,
    /** All keys of a registry, to delete them together. */
    allOfRegistry: (registry: string) => Object.values(ofRegistry).map((key) => key(registry)),
  } as const;
}

export type RedisKeys = ReturnType<typeof redisKeys>;

/** The exclusive right to run a registry. `<term>:<owner>` is the fencing token of every write under it. */
export interface Lease {
  readonly registry: string;
  /** Grows with each lease of the registry. A decimal number of up to 16 digits. */
  readonly term: string;
  readonly owner: string;
}

/** `<term>:<owner>`, as it is compared at each write. */
export type FencingToken = string;

export function fencingToken(lease: Pick<Lease, 'term' | 'owner'>): FencingToken {
  return `${lease.term}:${lease.owner}`;
}

/** The token in a status; an ended run leaves its term and no owner. `undefined` before the first run. */
export function storedToken(status: SyncStatus | undefined): FencingToken | undefined {
  if (status?.term === undefined) return undefined;
  return fencingToken({ term: status.term, owner: status.owner ?? '' });
}

/** The id of a run. */
export function runId(registry: string, term: string): string {
  return `${registry}:${term}`;
}
