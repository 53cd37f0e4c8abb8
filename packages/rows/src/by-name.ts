import { nameOfKey } from './row-codec.ts';

interface Keyed {
  /** See `sortKey`. */
  readonly key: string;
}

/** A stream of rows in batches, sorted by key. */
type Stream = AsyncIterable<readonly Keyed[]> | Iterable<readonly Keyed[]>;

/** The rows of one name, separately for each stream. */
type NameStep<Streams> = {
  -readonly [Index in keyof Streams]: Streams[Index] extends
    | AsyncIterable<infer Batch>
    | Iterable<infer Batch>
    ? Batch
    : never;
};

/**
 * Walks sorted streams together and yields the rows of one name at a time, sorted by key. A stream without the name
 * gives an empty list. The function reads only one stream at a time.
 */
export async function* byName<const Streams extends readonly Stream[]>(
  streams: Streams,
): AsyncGenerator<NameStep<Streams>> {
  const groups = streams.map(nameGroups);
  const heads: (readonly Keyed[])[] = [];
  for (const group of groups) heads.push((await group.next()).value ?? []);
  for (;;) {
    const names = heads.map(([row]) => row && nameOfKey(row.key));
    const name = names.reduce((least, it) =>
      least === undefined || (it !== undefined && it < least) ? it : least,
    );
    if (name === undefined) return;
    const step = heads.map((head, index) => (names[index] === name ? head : []));
    for (const [index, group] of groups.entries()) {
      if (names[index] === name) heads[index] = (await group.next()).value ?? [];
    }
    // The compiler does not know that each stream has its own row type.
    yield step as NameStep<Streams>;
  }
}

/** Groups rows by name, across batches. */
async function* nameGroups(batches: Stream): AsyncGenerator<readonly Keyed[], undefined> {
  let group: Keyed[] = [];
  let name: string | undefined;
  for await (const rows of batches) {
    for (const row of rows) {
      const rowName = nameOfKey(row.key);
      if (rowName !== name && group.length > 0) {
        yield group;
        group = [];
      }
      name = rowName;
      group.push(row);
    }
  }
  if (group.length > 0) yield group;
  return undefined;
}
