import { FUZZ } from '@syncline/contract/testing';
import fc from 'fast-check';
import { expect } from 'vitest';
import * as commands from './commands.ts';
import { ProtocolModel, SNAPSHOT_NAMES } from './model.ts';
import { expectAsModelled, type Observed, observe } from './observe.ts';
import type { ProtocolStore } from './protocol-store.ts';

interface Game extends commands.World {
  /** The store's state before the next step. */
  before: Observed;
}

type Command = fc.AsyncCommand<ProtocolModel, Game>;

const HOLDERS = ['alice', 'bob', 'carol'] as const;

/** Mostly the newest lease, and sometimes an earlier one that has ended. */
const back = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: 3 }));
const snapshotName = fc.constantFrom(...SNAPSHOT_NAMES);
const force = fc.record({ force: fc.boolean() });
const purpose = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'tick' } as const) },
  { weight: 3, arbitrary: force.map((it) => ({ kind: 'request', ...it }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .nat({ max: 4 })
      .map((number) => ({ kind: 'wake-up', request: number + 1 }) as const),
  },
);
/** Mostly, the caller runs no other registry that may be poison. */
const isIsolated = fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false));
const whole = { chunks: true, manifest: true };
const parts = fc.oneof(
  { weight: 4, arbitrary: fc.constant(whole) },
  fc.constantFrom({ chunks: true, manifest: false }, { chunks: false, manifest: true }),
);

const endingKind = fc.constantFrom('unchanged', 'failed', 'skipped', 'interrupted');
const isPinned = fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true));

/** How often each step is tried, and with which arguments. */
const STEPS: readonly fc.WeightedArbitrary<commands.Step>[] = [
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(...HOLDERS), purpose, isIsolated)
      .map((it) => commands.acquire(...it)),
  },
  { weight: 2, arbitrary: force.map(commands.request) },
  { weight: 2, arbitrary: back.map(commands.renew) },
  { weight: 5, arbitrary: fc.tuple(back, snapshotName, parts).map((it) => commands.write(...it)) },
  {
    weight: 5,
    arbitrary: fc.tuple(back, snapshotName, isPinned).map((it) => commands.publish(...it)),
  },
  { weight: 4, arbitrary: fc.tuple(back, endingKind).map((it) => commands.finish(...it)) },
  { weight: 4, arbitrary: back.map(commands.confirmUnchanged) },
  { weight: 1, arbitrary: back.map(commands.report) },
  { weight: 1, arbitrary: back.map(commands.impersonate) },
  { weight: 1, arbitrary: fc.tuple(back, snapshotName).map((it) => commands.overfill(...it)) },
  { weight: 2, arbitrary: back.map(commands.collect) },
  { weight: 3, arbitrary: fc.constant(commands.lapse) },
  { weight: 1, arbitrary: fc.constantFrom(commands.crash, commands.crash, commands.loseData) },
  { weight: 2, arbitrary: fc.constantFrom(commands.suspend, commands.pin, commands.resume) },
  { weight: 2, arbitrary: fc.constant(commands.sweep) },
  { weight: 2, arbitrary: fc.constant(commands.losePointer) },
];

/** Many generated sequences, the same in each test run. */
const GAMES = { seed: FUZZ.seed, numRuns: 200 };

/**
 * Plays generated sequences of steps on a store. Each sequence has its own new registry. Checks the whole stored state
 * after each step.
 *
 * @returns the shortest failing sequence of steps and its error, or `undefined` if none fails
 */
export async function findViolation(
  store: ProtocolStore,
  options: { readonly endOnFailure?: boolean; readonly numRuns?: number } = {},
): Promise<string | undefined> {
  let games = 0;
  const property = fc.asyncProperty(
    fc.commands([fc.oneof(...STEPS).map(asCommand)], { maxCommands: 80, size: 'max' }),
    async (sequence) => {
      games += 1;
      const registry = `game-${games}`;
      const before = await observe(store, registry);
      await fc.asyncModelRun(
        () => ({ model: new ProtocolModel(), real: { store, registry, before } }),
        sequence,
      );
    },
  );
  const details = await fc.check(property, { ...GAMES, ...options });
  if (!details.failed) return undefined;
  const { seed, errorInstance } = details;
  return `with seed ${seed}, ${errorInstance instanceof Error ? errorInstance.message : errorInstance}`;
}

function asCommand(step: commands.Step): Command {
  return {
    check: (model) => step.isPossible(model),
    run: async (model, game) => {
      try {
        await playStep(step, model, game);
      } catch (error) {
        const steps = model.steps.map((it, index) => `${index + 1}. ${it}`).join('\n');
        throw new Error(
          `after these steps\n${steps}\nthis goes wrong: ${step.name}\n${messageOf(error)}`,
        );
      }
    },
    toString: () => step.name,
  };
}

async function playStep(step: commands.Step, model: ProtocolModel, game: Game): Promise<void> {
  const { what, answer, expected, changes } = await step.play(model, game);
  expect(answer).toEqual(expected);
  const after = await observe(game.store, game.registry);
  if (!changes) expect(after).toEqual(game.before);
  expect({ otherBytes: after.otherBytes }).toEqual({ otherBytes: game.before.otherBytes });
  expectAsModelled(after, model.registry);
  model.steps.push(`${what} → ${JSON.stringify(answer)}`);
  game.before = after;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
