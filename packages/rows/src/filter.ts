import { type Filter, SynclineError } from '@syncline/contract';
import picomatch from 'picomatch';
import { PUBLISHER_META } from './row.ts';

/** Returns whether a server passes the filter, by its name and its tags in `_meta`. */
export type FilterPredicate = (server: {
  readonly name: string;
  readonly _meta?: unknown;
}) => boolean;

/**
 * Returns the predicate of a filter. Both the name and the tags must pass. Exclusion beats inclusion. If a filter
 * includes tags, a server without tags does not pass.
 *
 * @throws SynclineError `config-invalid` for an invalid glob
 */
export function compileFilter(filter: Filter): FilterPredicate {
  const included = filter.names.include.map(compileGlob);
  const excluded = filter.names.exclude.map(compileGlob);
  const passesName = (name: string) =>
    !excluded.some((matches) => matches(name)) &&
    (included.length === 0 || included.some((matches) => matches(name)));
  const wantedTags = new Set(filter.tags.include);
  const unwantedTags = new Set(filter.tags.exclude);
  const readsTags = wantedTags.size + unwantedTags.size > 0;
  return (server) => {
    if (!passesName(server.name)) return false;
    if (!readsTags) return true;
    const tags = tagsOf(server._meta);
    return (
      unwantedTags.isDisjointFrom(tags) &&
      (wantedTags.size === 0 || !wantedTags.isDisjointFrom(tags))
    );
  };
}

/** Compiles a glob like ToolHive: the glob matches the whole name, is case-sensitive, and `*` crosses `/`. */
export function compileGlob(glob: string): (name: string) => boolean {
  try {
    if (/(?<!\\)(?:\\\\)*\\$/.test(glob)) throw new Error('nothing follows the last \\');
    const matches = picomatch(glob, {
      bash: true, // a single star crosses slashes
      debug: true, // otherwise, a range such as [z-a] matches nothing without an error
      dot: true,
      nonegate: true,
      noextglob: true,
      posix: true, // [!x] matches any character but x
      strictBrackets: true,
      strictSlashes: true,
    });
    // With a second argument, picomatch's own function returns an object, for example in Array.filter.
    return (name) => matches(name);
  } catch (cause) {
    throw new SynclineError('config-invalid', `the glob ${JSON.stringify(glob)} is invalid`, {
      expected: 'only *, ?, [a-c], [!x] and {a,b} as special characters',
      cause,
    });
  }
}

/** Returns the tags of every list `_meta[publisher-provided].<namespace>.<key>.tags`. */
function tagsOf(meta: unknown): Set<unknown> {
  const entries = values(Object(meta)[PUBLISHER_META]).flatMap(values);
  const lists = entries.map((entry): unknown => Object(entry).tags).filter(Array.isArray);
  return new Set(lists.flat());
}

function values(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
