import { type RegistryConfig, sourceIdentity } from '@syncline/contract';
import { sha256 } from '@syncline/rows';

/** Digests what is read: a change invalidates the revision, because that marks a state of another source. */
export const sourceHash = hashOnce(sourceIdentity);

/** Digests what is kept of it. */
export const filterHash = hashOnce(({ filter }) => [filter.names, filter.tags]);

/** Each tick asks, and a config stays the same object for as long as it is in force. */
function hashOnce(
  select: (registry: RegistryConfig) => object,
): (registry: RegistryConfig) => string {
  const known = new WeakMap<RegistryConfig, string>();
  return (registry) => {
    const found = known.get(registry);
    if (found !== undefined) return found;
    const hash = sha256(JSON.stringify(select(registry))).slice(0, 16);
    known.set(registry, hash);
    return hash;
  };
}
