/**
 * What the domain needs from the world. Each port has at least two implementations: one in
 * `testing/` that keeps everything in memory, one on Redis; one conformance suite holds both to the
 * same promises.
 */
import type {
  Config,
  Control,
  Outcome,
  RegistryConfig,
  Run,
  StatusChanges,
  SyncStatus,
  Trigger,
} from '@syncline/contract';

/** The exclusive right to run a registry. `<term>:<owner>` is the fencing token of every write under it. */
export interface Lease {
  readonly registry: string;
  /** Grows with each lease of the registry. A decimal number of up to 16 digits. */
  readonly term: string;
  readonly owner: string;
}

/** Where a run comes from, as far as the lease is concerned. */
export type Wish =
  /** A tick or a hint without a number: run if nobody does. */
  | { readonly kind: 'tick' }
  /** A request made by this very call: counted first, so that it is answered even if the lease is busy. */
  | { readonly kind: 'request'; readonly force: boolean }
  /** A hint at request number `request`: nothing to do if a run has answered it already. */
  | { readonly kind: 'hint'; readonly request: number };

export interface AcquireOptions {
  readonly registry: string;
  readonly owner: string;
  readonly ttlMs: number;
  readonly wish: Wish;
}

/** The lease, and what was stored when it was taken. */
export interface Acquired {
  readonly state: 'acquired';
  readonly lease: Lease;
  /** Epoch milliseconds by the store's clock, at the moment of acquisition. */
  readonly nowMs: number;
  /** As the runs before this one left it, but `startsWithoutFinish` counts this one. */
  readonly status: SyncStatus;
  readonly control: Control;
}

export type Acquisition =
  | Acquired
  | { readonly state: 'busy'; readonly owner: string; readonly leaseUntilMs: number }
  | { readonly state: 'answered' };

/** What a renewal found. `stop` says that an operator wants the run ended. */
export type Renewal = { readonly held: false } | { readonly held: true; readonly stop: boolean };

/** What a run leaves behind: written in one step, or not at all. */
export interface RunEnding {
  /** What changes in the status; the lease is freed besides. */
  readonly changes: StatusChanges;
  /** Appended to the run log; absent for a tick that found nothing to do. */
  readonly run?: Run;
  /** The last request that the run answers. */
  readonly handledRequest?: number;
}

/** A snapshot whose manifest and chunks are all stored. */
export interface Publication {
  readonly manifest: string;
  readonly chunks: readonly string[];
  /** Pins the snapshot in the same step: what a rollback does. */
  readonly pin?: boolean;
}

export type Finished =
  /** `openRequest`: a request that came in meanwhile and wants a run of its own. */
  | { readonly state: 'finished'; readonly openRequest?: number }
  /** The lease is no longer ours: nothing was written. */
  | { readonly state: 'refused' }
  /** A chunk or the manifest is not there: nothing was written, the lease is still ours. */
  | { readonly state: 'incomplete'; readonly missing: string };

/** The leases, and the writes that they fence. Time is the store's own. */
export interface RunStore {
  /** Takes the registry's lease, or says who has it. One round trip. */
  acquire(options: AcquireOptions): Promise<Acquisition>;
  /** Extends leases by `ttlMs` from now, all in one round trip; answers in the order asked. */
  renew(leases: readonly Lease[], options: { ttlMs: number }): Promise<Renewal[]>;
  /** Flips the pointer, saves status, appends the run and frees the lease: all of it or nothing. */
  publishAndFinish(lease: Lease, ending: RunEnding, publication: Publication): Promise<Finished>;
  /** Saves status, appends the run and frees the lease, without touching what is served. */
  finish(lease: Lease, ending: RunEnding): Promise<Finished>;
  /**
   * Changes the status without a lease, if nothing has happened since the run of `term` ended, and nobody
   * wants anything of the registry. One round trip.
   *
   * @returns false where a run has begun since, a request is open, or an operator holds the registry
   */
  confirmUnchanged(
    registry: string,
    confirmation: { term: string; changes: StatusChanges },
  ): Promise<boolean>;
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

/** Keeps one status a registry. */
export interface StatusPersistence {
  load(registry: string): Promise<SyncStatus | undefined>;
  /**
   * Makes changes to the status if the token that is stored equals `expected` (`undefined`: if none is
   * stored).
   *
   * @returns whether they were made
   */
  save(
    registry: string,
    changes: StatusChanges,
    options: { expected: FencingToken | undefined },
  ): Promise<boolean>;
  /** All registries that have a status. */
  list(): Promise<ReadonlyMap<string, SyncStatus>>;
}

/** Bytes and the SHA-256, in hex, that they are stored under. */
export interface Blob {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export interface SnapshotHistoryEntry {
  readonly manifest: string;
  /** Epoch milliseconds; `undefined` while it is served, or has not been published. */
  readonly supersededAtMs: number | undefined;
}

/** Content-addressed blobs of each registry. Writes are fenced: only the lease's holder can make them. */
export interface SnapshotStore {
  /** Digest of the manifest that is served. */
  readPointer(registry: string): Promise<string | undefined>;
  readManifest(registry: string, digest: string): Promise<Uint8Array | undefined>;
  /** In the order asked; `undefined` where there is none. */
  readChunks(registry: string, digests: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** @returns false where the lease is no longer held: nothing, or not everything, was written */
  writeChunks(lease: Lease, chunks: readonly Blob[]): Promise<boolean>;
  writeManifest(lease: Lease, manifest: Blob): Promise<boolean>;
  /** Every manifest that is stored, newest first. */
  history(registry: string): Promise<SnapshotHistoryEntry[]>;
  /** The digests of every chunk that is stored. */
  listChunks(registry: string): Promise<string[]>;
  /** Removes what no kept snapshot needs. @returns false where the lease is no longer held */
  collect(
    lease: Lease,
    garbage: { manifests: readonly string[]; chunks: readonly string[] },
  ): Promise<boolean>;
}

/** What is to be synced, as the config in force says. */
export interface ConfigSource {
  /** The config last read; `undefined` before the first. */
  current(): Config | undefined;
  /** The registry of that name in the config last read, or the derived one of a catalog of that id. */
  registry(name: string): RegistryConfig | undefined;
  /** All that is run: registries, then catalogs. The same objects as long as the config is the same. */
  targets(): readonly RegistryConfig[];
  /**
   * Reads it again, unless that was done within `maxAgeMs` (default 0). Keeps the last one where there is
   * none to be read.
   */
  refresh(options?: { maxAgeMs?: number }): Promise<void>;
}

/** A firing for one registry. */
export interface Tick {
  readonly registry: string;
  readonly trigger: Trigger;
  readonly force: boolean;
  readonly wish: Wish;
  /** When it was due, epoch milliseconds, where it is known. */
  readonly dueAtMs?: number;
  /** Another one follows soon enough, whatever becomes of this one. */
  readonly recurs?: boolean;
}

/** What became of a tick. */
export type TickResult =
  | {
      readonly state: 'ran';
      readonly run: Run;
      readonly openRequest?: number;
      /** The catalogs that are to be run now, since what they are built from has been published. */
      readonly followers: readonly string[];
    }
  /** Nothing had changed since the last run, and none was needed to find that out. */
  | { readonly state: 'quiet' }
  /** Another run is under way. A request stays counted: whoever finishes runs it next. */
  | { readonly state: 'busy' }
  /** A run has answered the request already, or the tick, while it waited for its turn. */
  | { readonly state: 'answered' }
  /** The process stops, and the run had not begun. */
  | { readonly state: 'stopped' }
  /** The config does not name the registry. */
  | { readonly state: 'unknown-registry' };

export type TickHandler = (tick: Tick, signal: AbortSignal) => Promise<TickResult>;

/** What makes registries run: BullMQ, or a timer in the process. */
export interface TickSource {
  /** Hands each tick to `handle` until {@link stop}. */
  start(handle: TickHandler): Promise<void>;
  /**
   * Stops handing out ticks, gives the running ones `graceMs` to end, aborts what is left, and
   * resolves when all have ended.
   */
  stop(options: { graceMs: number }): Promise<void>;
}

/** A place among the requests that are under way at a host. */
export interface RequestPlace {
  /** Gives the place to others. It may be called more than once; never throws. */
  release(): void;
}

/** How much is asked of a host, by all that share the store. */
export interface RequestBudgets {
  /**
   * Waits until a request to the host may begin. A host without a budget costs nothing.
   *
   * @param options.signal ends the waiting, with its reason
   * @param options.holdMs the longest that the request may take: the place is free again after that, also
   *   where its holder has died
   * @throws SynclineError `source-rate-limited`, with `retryAfterMs`, where it would be waited for longer
   *   than {@link LONGEST_BUDGET_WAIT_MS}
   */
  take(host: string, options: { signal: AbortSignal; holdMs: number }): Promise<RequestPlace>;
}

export const LONGEST_BUDGET_WAIT_MS = 30_000;

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds that never jump. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** The part of a pino logger that the domain uses. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Told what happens, for metrics. Never throws. */
export interface RunObserver {
  runFinished(run: Run): void;
  /** A tick that found nothing to do without a run. */
  tickQuiet(): void;
  phaseFinished(phase: RunPhase, durationMs: number): void;
  overlapSkipped(trigger: Trigger): void;
  tickLate(latenessMs: number): void;
  fencedWriteRefused(): void;
  renewalFailed(): void;
}

/** The parts of a run that are timed. */
export type RunPhase = 'decide' | 'fetch' | 'build' | 'store' | 'finish';

/** What one run has cost its upstream. Sources add to it as they go. */
export interface UpstreamUsage {
  requests: number;
  bytes: number;
}

/** What a manager needs to tell whether there is anything to do. */
export interface CheckContext {
  readonly registry: RegistryConfig;
  readonly status: SyncStatus;
  readonly control: Control;
  readonly trigger: Trigger;
  readonly force: boolean;
  /** Aborted when the process stops, the run's time is up, or the lease is lost. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds by the store's clock. */
  readonly now: () => number;
  readonly upstream: UpstreamUsage;
  /** What the run has read to be let in by its upstream: taken out of whatever it says. Sources add to it. */
  readonly credentials: Set<string>;
  readonly logger: Logger;
  /** Says what the run is at, in the status; a failure to write it is logged and no more. */
  readonly report: (message: string) => void;
}

/** Everything that a manager is told about the run it works for. */
export interface RunContext extends CheckContext {
  readonly lease: Lease;
  /** When the lease was taken, epoch milliseconds by the store's clock. */
  readonly startedAtMs: number;
  readonly timePhase: <Result>(phase: RunPhase, work: () => Promise<Result>) => Promise<Result>;
  /** Has `release` called when the run has ended, also where its work goes on, deaf to the signal. */
  readonly onEnd: (release: () => void) => void;
}

export type { Outcome };
