import type { Control, SyncStatus } from '@syncline/contract';
import { type AcquireOptions, type Acquisition, POISON_AFTER_STARTS } from './run-store.ts';

/**
 * Why a free lease is not given. The same rules as in `acquire.lua`, for stores without scripts.
 *
 * @param stored as the runs before left it, a request of this very call counted
 * @returns `undefined` if the lease is to be given
 */
export function refusalOf(
  { purpose, isIsolated = false }: Pick<AcquireOptions, 'purpose' | 'isIsolated'>,
  { status, control, nowMs }: { status: SyncStatus; control: Control; nowMs: number },
): Extract<Acquisition, { state: 'superseded' | 'isolate' }> | undefined {
  const isOpen = control.requested > control.handled;
  if (purpose.kind === 'tick' && !isOpen) {
    const { supersededWithinMs = 0 } = purpose;
    const triedAtMs = Date.parse(status.lastAttemptAt ?? '');
    const ageMs = nowMs - triedAtMs;
    const hasSucceeded = Date.parse(status.lastSuccessAt ?? '') >= triedAtMs;
    if (ageMs >= 0 && ageMs < supersededWithinMs && hasSucceeded) return { state: 'superseded' };
  }
  if (!isIsolated && status.startsWithoutFinish + 1 === POISON_AFTER_STARTS) {
    return { state: 'isolate', openRequest: isOpen ? control.requested : 0 };
  }
  return undefined;
}
