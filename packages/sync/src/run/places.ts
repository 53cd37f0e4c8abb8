/** The places that there are few of in a process, and that its runs wait for: slots for heavy work, and the turn of suspects. */
import type { Slot } from '@syncline/sources';
import type { RunContext } from '../ports/run-context.ts';
import type { Tick, TickResult } from '../ports/tick-source.ts';
import { isSuspect } from './run-ending.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

/** What a run has waited for, and holds until it has ended. */
export interface Places {
  /** For heavy work. */
  slot?: Slot | undefined;
  /** Of a suspect: see {@link ProcessRuns}. */
  turn?: Slot | undefined;
}

export function releasePlaces(places: Places): void {
  for (const place of ['slot', 'turn'] as const) {
    places[place]?.release();
    places[place] = undefined;
  }
}

/** What a run has to wait for. */
export interface Crowd {
  readonly place: keyof Places;
  readonly whenFree: (signal: AbortSignal) => Promise<Slot>;
}

/**
 * Waits for a place, and takes it.
 *
 * @returns what the tick comes to where it is not to go on: another run of the registry waits already, or
 *   the process stops
 */
export async function waitForPlace(
  { processRuns: { waiting }, observer }: SyncDependencies,
  { registry, wish, trigger }: Tick,
  { crowd, places, stop }: { crowd: Crowd; places: Places; stop: AbortSignal },
): Promise<TickResult | undefined> {
  if (waiting.has(registry)) {
    if (wish.kind === 'tick') observer.overlapSkipped(trigger);
    return { state: 'busy' };
  }
  waiting.add(registry);
  // Who waits holds nothing that another one may wait for.
  releasePlaces(places);
  try {
    places[crowd.place] = await crowd.whenFree(stop);
    return undefined;
  } catch {
    return { state: 'stopped' };
  } finally {
    waiting.delete(registry);
  }
}

/**
 * Takes the turn of a suspect, if the run is one, and passes it on after a while: what ends its process mostly
 * does so soon, and a long run must not hold up all others.
 *
 * @returns what to wait for, where another one has it
 */
export function takeTurn(
  { processRuns: { suspects, turnMs } }: SyncDependencies,
  context: RunContext,
  places: Places,
): Crowd | undefined {
  if (!isSuspect(context)) {
    // It was one when it began to wait, and another process has run it since.
    places.turn?.release();
    return undefined;
  }
  places.turn ??= suspects.tryTake();
  const { turn } = places;
  if (turn === undefined) return { place: 'turn', whenFree: (signal) => suspects.take(signal) };
  const timer = setTimeout(turn.release, turnMs);
  context.onEnd(() => clearTimeout(timer));
  return undefined;
}
