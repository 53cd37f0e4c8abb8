import { dependentsOf, type Run } from '@syncline/contract';
import type { ConfigSource } from '../ports/config-source.ts';

/** Something that must happen because a run has ended. The tick source carries it out. */
export type FollowUp =
  /** The catalog `registry` is built from what the run has published: request a run of it. */
  | { readonly kind: 'dependent'; readonly registry: string }
  /** A request came in during the run: wake a worker for it. */
  | { readonly kind: 'request'; readonly registry: string; readonly request: number }
  /** The run of `term` failed: try again after `delayMs`. */
  | {
      readonly kind: 'retry';
      readonly registry: string;
      readonly term: string;
      readonly delayMs: number;
    };

/** Clocks of two processes may differ a little. A retry that comes before it is due does nothing. */
const RETRY_SLACK_MS = 250;

/**
 * Returns what follows a run.
 *
 * @param options.openRequest a request that came in during the run
 */
export function followUpsOf(
  { registry, term, outcome, error, finishedAt }: Run,
  { config, openRequest }: { config: ConfigSource; openRequest: number | undefined },
): FollowUp[] {
  const current = config.current();
  const followUps: FollowUp[] = [];
  if (outcome === 'published' && current !== undefined) {
    for (const dependent of dependentsOf(current, registry)) {
      followUps.push({ kind: 'dependent', registry: dependent });
    }
  }
  if (openRequest !== undefined) {
    followUps.push({ kind: 'request', registry, request: openRequest });
  }
  if (error?.nextTryAt !== undefined) {
    const waitMs = Math.max(0, Date.parse(error.nextTryAt) - Date.parse(finishedAt));
    followUps.push({ kind: 'retry', registry, term, delayMs: waitMs + RETRY_SLACK_MS });
  }
  return followUps;
}
