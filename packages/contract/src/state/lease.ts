import type { SyncStatus } from './status.ts';

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
