import { z } from 'zod';

/** Why a job exists. */
export const triggerSchema = z.enum([
  'schedule',
  'startup',
  'config',
  'manual',
  'webhook',
  'retry',
  /** A registry of the catalog has published another snapshot. */
  'change',
]);
export type Trigger = z.infer<typeof triggerSchema>;

/**
 * Why a run did, or did not, fetch. The names of the first two groups are those of the Go package that
 * Syncline descends from; `should-sync.ts` says when each is given.
 */
export const reasonSchema = z.enum([
  // to sync
  'registry-not-ready',
  'filter-changed',
  'source-data-changed',
  'error-checking-data-changes',
  'manual-sync-with-data-changes',
  'config-changed',
  'reconcile-due',
  // not to sync
  'manual-sync-no-data-changes',
  'up-to-date-with-policy',
  'suspended',
  'backing-off',
  /** A registry of the catalog has never been synced: whose names are whose is not known yet. */
  'members-not-ready',
  // reserved: names of the Go package that no part of Syncline gives; an embedded `Manager` may
  'sync-already-in-progress',
  'error-checking-sync-need',
  'up-to-date-no-policy',
]);
export type Reason = z.infer<typeof reasonSchema>;

/** How a run ended. `joined` and `busy` are not runs: they took no lease. */
export const outcomeSchema = z.enum([
  'published',
  'unchanged',
  'held',
  'skipped',
  'failed',
  'interrupted',
]);
export type Outcome = z.infer<typeof outcomeSchema>;
