import { type Clock, isStoreUnavailable, systemClock } from '@syncline/contract';
import type { RegistryReader, StoredRegistries } from '@syncline/redis';
import { LastKnown } from '@syncline/snapshot';

/** What Redis knows of registries, or knew when it last answered. */
export interface RememberedRegistries {
  /** `nowMs` is now by Redis's clock also where the rest is older; `ageMs` is `undefined` where nothing is. */
  readMany(
    names: readonly string[],
  ): Promise<StoredRegistries & { readonly ageMs: number | undefined }>;
}

/** A reader that goes on with what it last read while Redis is away. What was never read is an error then. */
export function rememberRegistries(
  reader: RegistryReader,
  { clock = systemClock }: { readonly clock?: Pick<Clock, 'monotonic'> } = {},
): RememberedRegistries {
  const known = new LastKnown<StoredRegistries>({ clock, isAway: isStoreUnavailable });
  return {
    async readMany(names) {
      const { value, ageMs } = await known.read(names.join(), () => reader.readMany(names));
      // Time goes on while Redis is away: what it last said of the time is that much older.
      return { ...value, nowMs: value.nowMs + (ageMs ?? 0), ageMs };
    },
  };
}
