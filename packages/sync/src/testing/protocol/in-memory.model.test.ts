import { controlSchema } from '@syncline/contract';
import { createInMemoryState } from '../in-memory-state.ts';
import { createManualClock } from '../manual-clock.ts';
import { createInMemoryHarness } from '../store-harness.ts';
import { describeProtocol } from './describe-protocol.ts';

describeProtocol('the in-memory run store', () => {
  const clock = createManualClock({ nowMs: Date.parse('2026-02-01T12:00:00Z') });
  const state = createInMemoryState({ clock });
  return {
    ...createInMemoryHarness(clock, state),
    request: async (name, { force }) => {
      const registry = state.of(name);
      const { requested, force: before } = registry.control;
      registry.control = {
        ...registry.control,
        requested: requested + 1,
        force: force || before,
      };
    },
    resume: async (name) => {
      const registry = state.of(name);
      const { requested, handled, force } = registry.control;
      registry.control = { ...controlSchema.parse({}), requested, handled, force };
    },
    loseData: async (name) => void state.registries.delete(name),
  };
});
