import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Tick, TickResult } from '../ports/tick-source.ts';
import { createRecordingLogger } from '../testing/recorders.ts';
import { createStaticConfigSource } from '../testing/static-config-source.ts';
import { testRun } from '../testing/store-harness.ts';
import { createTimerTickSource } from './timer-tick-source.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-03-28T12:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Returns `<trigger> <time>` of each tick of a registry with this schedule within so many hours. */
async function ticks(pattern: string, { hours }: { hours: number }): Promise<string[]> {
  const config = createStaticConfigSource({
    registries: [
      {
        name: 'alpha',
        file: { path: '/alpha.json' },
        schedule: { pattern, timezone: 'Europe/Berlin' },
      },
    ],
  });
  const source = createTimerTickSource({ config, logger: createRecordingLogger() });
  const seen: string[] = [];
  await source.start(async ({ trigger }: Tick) => {
    seen.push(`${trigger} ${new Date().toISOString()}`);
    return { state: 'busy' };
  });
  await vi.advanceTimersByTimeAsync(hours * 3_600_000);
  await source.stop({ graceMs: 0 });
  return seen;
}

test('a cron pattern fires even on the day on which summer time skips its hour', async () => {
  expect(await ticks('30 2 * * *', { hours: 48 })).toEqual([
    'startup 2026-03-28T12:00:00.000Z',
    'schedule 2026-03-29T01:30:00.000Z',
    'schedule 2026-03-30T00:30:00.000Z',
  ]);
});

test('a firing further ahead than the longest timer comes on time', async () => {
  expect(await ticks('0 0 1 6 *', { hours: 24 * 100 })).toEqual([
    'startup 2026-03-28T12:00:00.000Z',
    'schedule 2026-05-31T22:00:00.000Z',
  ]);
});

/** Returns `<trigger> <purpose>` of each tick of alpha. The first ticks end with the given results. */
async function purposes(
  results: readonly (TickResult | Error)[],
  { minutes }: { minutes: number },
): Promise<string[]> {
  const config = createStaticConfigSource({
    registries: [{ name: 'alpha', file: { path: '/alpha.json' }, syncPolicy: { interval: '1h' } }],
  });
  const source = createTimerTickSource({ config, logger: createRecordingLogger() });
  const seen: string[] = [];
  await source.start(async ({ trigger, purpose }: Tick) => {
    const result = results[seen.length] ?? { state: 'busy' };
    seen.push(`${trigger} ${purpose.kind}`);
    if (result instanceof Error) throw result;
    return result;
  });
  await vi.advanceTimersByTimeAsync(minutes * 60_000);
  await source.stop({ graceMs: 0 });
  return seen;
}

test('a request made during a run gets its own run, and the interval continues', async () => {
  const run = testRun({ registry: 'alpha', term: '1', owner: 'alice' });
  const followUps = [{ kind: 'request', registry: 'alpha', request: 1 }] as const;
  const ran: TickResult = { state: 'ran', run, followUps };
  expect(await purposes([ran], { minutes: 150 })).toEqual([
    'startup tick',
    'change wake-up',
    'schedule tick',
    'schedule tick',
  ]);
});

test('a tick that could not write its result is retried within seconds', async () => {
  expect(await purposes([new Error('the disk is full')], { minutes: 1 })).toEqual([
    'startup tick',
    'retry tick',
  ]);
});
