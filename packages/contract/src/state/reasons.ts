import { z } from 'zod';

/** What started a run. */
export const triggerSchema = z.enum([
  'schedule',
  'startup',
  'config',
  'manual',
  'webhook',
  'retry',
  /** A member of the catalog has published a new snapshot. */
  'change',
]);
export type Trigger = z.infer<typeof triggerSchema>;

/**
 * Why a run fetched or did not fetch. The names in the first two groups come from the Go package that Syncline descends
 * from. `should-sync.ts` assigns them.
 */
export const reasonSchema = z.enum([
  // fetch
  'registry-not-ready',
  'filter-changed',
  'source-data-changed',
  'error-checking-data-changes',
  'manual-sync-with-data-changes',
  'config-changed',
  'reconcile-due',
  // do not fetch
  'manual-sync-no-data-changes',
  'up-to-date-with-policy',
  'suspended',
  'backing-off',
  /** A member of the catalog has never been synced, so the owner of each server name is unknown. */
  'members-not-ready',
  // reserved: names of the Go package that only an embedded `Manager` may give
  'sync-already-in-progress',
  'error-checking-sync-need',
  'up-to-date-no-policy',
]);
export type Reason = z.infer<typeof reasonSchema>;

/** How a run ended. `joined` and `busy` are not outcomes, because no run took the lease. */
export const outcomeSchema = z.enum([
  'published',
  'unchanged',
  'held',
  'skipped',
  'failed',
  'interrupted',
]);
export type Outcome = z.infer<typeof outcomeSchema>;
