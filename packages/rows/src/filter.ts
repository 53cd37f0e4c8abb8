import type { Filter } from '@syncline/contract';
import { compileGlob } from './glob.ts';
import { PUBLISHER_META } from './row.ts';

export { compileGlob } from './glob.ts';

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

/** Returns the tags of every list `_meta[publisher-provided].<namespace>.<key>.tags`. */
function tagsOf(meta: unknown): Set<unknown> {
  const entries = values(Object(meta)[PUBLISHER_META]).flatMap(values);
  const lists = entries.map((entry): unknown => Object(entry).tags).filter(Array.isArray);
  return new Set(lists.flat());
}

function values(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
