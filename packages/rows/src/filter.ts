import { type Filter, SynclineError } from '@syncline/contract';
import picomatch from 'picomatch';
import { PUBLISHER_META } from './row.ts';

/** What of a server the filter looks at. */
export interface FilteredServer {
  readonly name: string;
  readonly _meta?: Readonly<Record<string, unknown>> | undefined;
}

export type FilterPredicate = (server: FilteredServer) => boolean;

/**
 * The predicate that a filter stands for. Name and tags must both pass; excluding beats including; a
 * server without tags fails any tag that must be included.
 *
 * @throws SynclineError `config-invalid` for a glob that is not well-formed
 */
export function compileFilter(filter: Filter): FilterPredicate {
  const included = filter.names.include.map(compileGlob);
  const excluded = filter.names.exclude.map(compileGlob);
  const passesName = (name: string) =>
    !excluded.some((matches) => matches(name)) &&
    (included.length === 0 || included.some((matches) => matches(name)));
  const wantedTags = new Set(filter.tags.include);
  const unwantedTags = new Set(filter.tags.exclude);
  const looksAtTags = wantedTags.size + unwantedTags.size > 0;
  return (server) => {
    if (!passesName(server.name)) return false;
    if (!looksAtTags) return true;
    const tags = tagsOf(server);
    return (
      unwantedTags.isDisjointFrom(tags) &&
      (wantedTags.size === 0 || !wantedTags.isDisjointFrom(tags))
    );
  };
}

/** Globs as ToolHive has them: over the whole name, case-sensitive, `*` crosses `/`. */
export function compileGlob(glob: string): (name: string) => boolean {
  try {
    if (/(?<!\\)(?:\\\\)*\\$/.test(glob)) throw new Error('there is nothing after the last \\');
    const matches = picomatch(glob, {
      bash: true, // a single star crosses slashes
      debug: true, // else a range such as [z-a] would match nothing, and say nothing
      dot: true,
      nonegate: true,
      noextglob: true,
      posix: true, // [!x] is what is not x
      strictBrackets: true,
      strictSlashes: true,
    });
    // Not picomatch's own function: given a second argument, as by Array.filter, it returns an object.
    return (name) => matches(name);
  } catch (cause) {
    throw new SynclineError(
      'config-invalid',
      `the glob ${JSON.stringify(glob)} is not well-formed`,
      {
        expected: 'a glob of *, ?, [a-c], [!x] and {a,b}',
        cause,
      },
    );
  }
}

/** The union of all `tags` lists under the publisher's block: `_meta[publisher-provided].<namespace>.<key>.tags`. */
function tagsOf({ _meta }: FilteredServer): Set<string> {
  const tags = new Set<string>();
  for (const namespace of values(_meta?.[PUBLISHER_META])) {
    for (const entry of values(namespace)) {
      const list = typeof entry === 'object' && entry !== null && 'tags' in entry ? entry.tags : [];
      if (!Array.isArray(list)) continue;
      for (const tag of list) if (typeof tag === 'string') tags.add(tag);
    }
  }
  return tags;
}

function values(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
