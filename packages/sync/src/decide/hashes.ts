import type { RegistryConfig } from '@syncline/contract';
import { sha256 } from '@syncline/rows';

/** What is read, and how: a change invalidates the revision, since that marks a state of another source. */
export const sourceHash = hashOnce(({ file, git, api, catalog }) => ({
  file: file?.path,
  api: api?.endpoint,
  url: file?.url,
  git: git && [git.repository, git.branch, git.tag, git.commit, git.path],
  // Absent in most, and absent then here too: a hash must not change with our version.
  headers: file?.headers ?? api?.headers,
  catalog: catalog?.registries,
}));

/** What is kept of it. */
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
