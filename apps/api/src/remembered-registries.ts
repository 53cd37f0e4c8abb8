import { type Clock, isStoreUnavailable, systemClock } from '@syncline/contract';
import type { RegistryReader, StoredRegistries } from '@syncline/redis';
import { LastKnown } from '@syncline/snapshot';

/** Reads the state of registries as Redis has it, or had it when it last answered. */
export interface RememberedRegistries {
  /** `nowMs` is always the current time by Redis's clock; `ageMs` is the age of the rest, `undefined` if it is current. */
  readMany(
    names: readonly string[],
  ): Promise<StoredRegistries & { readonly ageMs: number | undefined }>;
}

/** Creates a reader that returns what it last read while Redis is away. It fails for what it never read. */
export function rememberRegistries(
  reader: RegistryReader,
  { clock = systemClock }: { readonly clock?: Pick<Clock, 'monotonic'> } = {},
): RememberedRegistries {
  const known = new LastKnown<StoredRegistries>({ clock, isAway: isStoreUnavailable });
  return {
    async readMany(names) {
      const { value, ageMs } = await known.read(names.join(), () => reader.readMany(names));
      // The time that Redis last told is that much older now.
      return { ...value, nowMs: value.nowMs + (ageMs ?? 0), ageMs };
    },
  };
}
