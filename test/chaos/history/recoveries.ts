import type { EventOf, HistoryEvent } from './events.ts';
import type { History } from './history.ts';

/** A run that ended with its process, and the next one of its registry, if there was one. */
export interface Recovery {
  readonly lost: EventOf<'lease-acquired'>;
  readonly kill: EventOf<'fault'>;
  readonly next: EventOf<'lease-acquired'> | undefined;
}

/** Returns one for every run that a worker had not ended when it was killed. */
export function findRecoveries(history: History): Recovery[] {
  const kills = history.of('fault').filter(({ fault }) => fault === 'kill');
  return kills.flatMap((kill) =>
    runsUnderWay(history, kill).map((lost) => {
      const next = history
        .of('lease-acquired')
        .find(({ registry, atMs }) => registry === lost.registry && atMs > kill.atMs);
      return { lost, kill, next };
    }),
  );
}

function runsUnderWay(history: History, { target, atMs }: EventOf<'fault'>) {
  const started = history
    .of('process-started')
    .findLast((it) => it.name === target && it.atMs < atMs);
  const isOfThisLife = (event: HistoryEvent) =>
    event.process === target && event.atMs < atMs && event.atMs > (started?.atMs ?? 0);
  return history.of('lease-acquired').filter((lease) => {
    const { answered } = history.run(lease);
    return isOfThisLife(lease) && !answered.some((it) => it.atMs < atMs);
  });
}
