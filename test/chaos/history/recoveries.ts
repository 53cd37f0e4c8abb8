import type { EventOf, HistoryEvent } from './events.ts';
import type { History } from './history.ts';

/** A run whose process was killed, and the next run of the same registry, if there is one. */
export interface Recovery {
  readonly lost: EventOf<'lease-acquired'>;
  readonly kill: EventOf<'fault'>;
  readonly next: EventOf<'lease-acquired'> | undefined;
}

/** Returns a recovery for every run that was in progress when its worker was killed. */
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
