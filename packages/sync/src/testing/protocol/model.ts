/**
 * What must be true of one registry after any sequence of actions: the tables of `SPEC.md` as a plain program. The
 * model knows neither Redis nor the implementation of the ports.
 */
import type { Lease, Phase } from '@syncline/contract';
import {
  type AcquireOptions,
  type Acquisition,
  POISON_AFTER_STARTS,
} from '../../ports/run-store.ts';

/** The snapshots of the model and their chunks. Two snapshots share a chunk. */
export const SNAPSHOTS = {
  a: ['a-1', 'shared'],
  b: ['b-1', 'shared'],
  c: ['c-1', 'c-2'],
} as const;
export type SnapshotName = keyof typeof SNAPSHOTS;
export const SNAPSHOT_NAMES: readonly SnapshotName[] = ['a', 'b', 'c'];

export type Acquired = Extract<Acquisition, { state: 'acquired' }>;

/** A lease that a holder got, and may still believe in. */
export interface KnownLease {
  readonly lease: Lease;
  /** A short name such as `t3 of bob`, because terms are long. */
  readonly label: string;
  readonly acquired: Acquired;
  /** The phase after the run has ended. */
  phaseLeft?: Phase;
}

/** How a run ends, in the terms of the transition table. */
export type EndingKind =
  | 'published'
  | 'unchanged'
  | 'failed'
  | 'poisoned'
  | 'skipped'
  | 'interrupted';

export interface ModelEnding {
  readonly kind: EndingKind;
  readonly publish?: { readonly name: SnapshotName; readonly pin: boolean } | undefined;
  /** The new message in the status. `undefined` removes the message, and `null` keeps it. */
  readonly message: string | null | undefined;
}

/** The stored state of the registry. */
export class ModelRegistry {
  term: string | undefined;
  owner: string | undefined;
  lapsed = false;
  failures = 0;
  succeeded = false;
  startsWithoutFinish = 0;
  message: string | undefined;
  /** The snapshot that the status names. */
  snapshot: SnapshotName | undefined;

  requested = 0;
  handled = 0;
  force = false;
  suspended = false;
  pinned: SnapshotName | undefined;

  pointer: SnapshotName | undefined;
  readonly superseded = new Set<SnapshotName>();
  readonly manifests = new Set<SnapshotName>();
  readonly chunks = new Set<string>();
  /** The terms of the logged runs, newest first. */
  readonly runs: string[] = [];

  get phase(): Phase {
    return this.owner === undefined ? this.settledPhase : 'Syncing';
  }

  get settledPhase(): Phase {
    if (this.failures > 0) return 'Failed';
    return this.succeeded ? 'Complete' : 'Pending';
  }

  get isRunning(): boolean {
    return this.owner !== undefined && !this.lapsed;
  }

  get openRequest(): number {
    return this.requested > this.handled ? this.requested : 0;
  }

  isHeldUnder({ term, owner }: Lease): boolean {
    return this.term === term && this.owner === owner;
  }

  hasEnded({ term }: Pick<Lease, 'term'>): boolean {
    return this.term === term && this.owner === undefined;
  }

  /** Returns the missing parts for a publication of the snapshot. */
  missingOf(name: SnapshotName): string[] {
    const chunks = SNAPSHOTS[name].filter((chunk) => !this.chunks.has(chunk));
    return [...(this.manifests.has(name) ? [] : [name]), ...chunks];
  }

  request({ force }: { force: boolean }): void {
    this.requested += 1;
    this.force ||= force;
  }

  /** Counts a request, and returns the expected answer. */
  ask({
    purpose,
    isIsolated,
  }: Pick<AcquireOptions, 'purpose' | 'isIsolated'>): Acquisition['state'] {
    if (purpose.kind === 'request') this.request(purpose);
    if (purpose.kind === 'wake-up' && this.handled >= purpose.request) return 'handled';
    if (this.isRunning) return 'busy';
    const mayBePoison = this.startsWithoutFinish + 1 === POISON_AFTER_STARTS;
    return mayBePoison && !isIsolated ? 'isolate' : 'acquired';
  }

  take({ term, owner }: Lease): void {
    this.term = term;
    this.owner = owner;
    this.lapsed = false;
    this.startsWithoutFinish += 1;
  }

  /** Ends a run that has the lease. */
  end(run: KnownLease, { kind, publish, message }: ModelEnding): void {
    const { control, status } = run.acquired;
    this.owner = undefined;
    this.lapsed = false;
    if (message !== null) this.message = message;
    if (publish !== undefined) this.#publish(publish);
    if (kind === 'published' || kind === 'unchanged') {
      this.succeeded = true;
      this.failures = 0;
    }
    if (kind === 'failed' || kind === 'poisoned') this.failures += 1;
    this.startsWithoutFinish = startsAfter(kind, status.startsWithoutFinish);
    this.#answer(kind === 'interrupted' ? control.handled : control.requested);
    this.runs.unshift(run.lease.term);
    run.phaseLeft = this.phase;
  }

  #publish({ name, pin }: { name: SnapshotName; pin: boolean }): void {
    if (this.pointer !== undefined && this.pointer !== name) this.superseded.add(this.pointer);
    this.superseded.delete(name);
    this.pointer = name;
    this.snapshot = name;
    if (pin) this.pinned = name;
  }

  #answer(request: number): void {
    if (request === 0) return;
    this.handled = Math.max(this.handled, request);
    if (this.openRequest === 0) this.force = false;
  }

  /** Returns all snapshots except the served one, and the chunks that only they need. */
  garbage(): { manifests: SnapshotName[]; chunks: string[] } {
    const needed = new Set<string>(this.pointer === undefined ? [] : SNAPSHOTS[this.pointer]);
    const chunks = [...new Set(Object.values(SNAPSHOTS).flat())];
    return {
      manifests: SNAPSHOT_NAMES.filter((name) => name !== this.pointer),
      chunks: chunks.filter((chunk) => !needed.has(chunk)),
    };
  }

  collect({ manifests, chunks }: { manifests: SnapshotName[]; chunks: string[] }): void {
    for (const name of manifests) {
      this.manifests.delete(name);
      this.superseded.delete(name);
    }
    for (const chunk of chunks) this.chunks.delete(chunk);
  }
}

function startsAfter(kind: EndingKind, startsWithThisOne: number): number {
  if (kind === 'poisoned') return 2;
  return kind === 'skipped' ? Math.max(0, startsWithThisOne - 1) : 0;
}

/** The registry, and what its holders remember. */
export class ProtocolModel {
  registry = new ModelRegistry();
  /** Every lease that a holder still knows, oldest first. */
  readonly leases: KnownLease[] = [];
  /** How many leases the store has granted. */
  leaseCount = 0;
  lastTerm = 0n;
  /** The steps so far, for people to read. */
  readonly steps: string[] = [];

  /** Returns the lease `back` positions before the newest, or the oldest one if there are fewer. */
  lease(back: number): KnownLease | undefined {
    return this.leases.at(-1 - back) ?? this.leases[0];
  }
}
