import type { EventOf, HistoryEvent } from '../events.ts';
import { byRegistry, type History } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule for invariant I2. */
export const fencedWrites: Rule = {
  name: 'I2',
  promise: 'only the holder of the lease writes',
  find: (history) => [...findForeignWrites(history), ...findLateWrites(history)],
};

type StoreEvent = EventOf<'store-acquired' | 'store-renewed' | 'store-ended' | 'store-wrote'>;

/** Finds writes, in the record of Redis, with another token than the one that Redis gave last. */
function findForeignWrites({ events }: History): Violation[] {
  const violations: Violation[] = [];
  const holders = new Map<string, StoreEvent | undefined>();
  for (const event of events) {
    switch (event.kind) {
      case 'store-unknown':
        holders.clear();
        break;
      case 'store-acquired':
        holders.set(event.registry, event);
        break;
      case 'store-renewed':
      case 'store-ended':
      case 'store-wrote':
        if (holders.has(event.registry) && !isBy(holders.get(event.registry), event)) {
          violations.push(foreignWrite(holders.get(event.registry), event));
        }
        if (event.kind === 'store-ended') holders.set(event.registry, undefined);
        break;
    }
  }
  return violations;
}

function isBy(holder: StoreEvent | undefined, { term, owner }: StoreEvent): boolean {
  return holder?.term === term && holder.owner === owner;
}

function foreignWrite(holder: StoreEvent | undefined, event: StoreEvent): Violation {
  const { registry, term, owner, kind } = event;
  const against = holder === undefined ? 'nobody' : `${holder.term} of ${holder.owner}`;
  return {
    message: `${registry}: ${kind} by ${term} of ${owner}, while ${against} had the lease`,
    evidence: [...(holder === undefined ? [] : [holder]), event],
  };
}

type Accepted = EventOf<
  'ending-answered' | 'write-answered' | 'lease-renewed' | 'confirm-answered'
>;

function isAccepted(event: HistoryEvent): event is Accepted {
  if (event.kind === 'ending-answered') return event.answer === 'finished';
  if (event.kind === 'write-answered' || event.kind === 'confirm-answered') return event.accepted;
  return event.kind === 'lease-renewed';
}

/**
 * Finds writes, in the records of workers, that Redis accepted although another run already had the lease
 * when the call was made.
 */
function findLateWrites(history: History): Violation[] {
  const acquisitions = byRegistry(history.of('lease-acquired'));
  const { losses } = history;
  return history.events.filter(isAccepted).flatMap((event): Violation[] => {
    const { registry, term } = event;
    const askedAtMs = firstAskedAtMs(event, history);
    const later = acquisitions
      .get(registry)
      ?.find((it) => it.atMs < askedAtMs && BigInt(it.term) > BigInt(term));
    if (later === undefined) return [];
    // If Redis has forgotten the later lease, it knows only the earlier one.
    if (losses.some(({ fromMs, untilMs }) => untilMs > later.atMs && fromMs < event.atMs))
      return [];
    const message = `${registry}: ${event.kind} of ${term} was accepted after ${later.term} was given`;
    return [{ message, evidence: [later, event] }];
  });
}

/**
 * Returns the time of the first call. If the answer to the end of a run is lost, the worker writes the end
 * again.
 */
function firstAskedAtMs(event: Accepted, history: History): number {
  if (event.kind !== 'ending-answered') return event.calledAtMs;
  return history.run(event).tried[0]?.calledAtMs ?? event.calledAtMs;
}
