import { OFFICIAL_META } from '@syncline/rows';
import { compareBytes } from '../byte-order.ts';
import { type Random, randomFrom, shuffled } from './random.ts';
import { assertOfficialRow, type OfficialRow } from './row.ts';
import { syntheticRows } from './synthetic.ts';

export interface GenerateOptions {
  readonly count: number;
  /** The same seed gives the same rows, and another seed gives other rows. */
  readonly seed?: number;
}

/**
 * Returns generated rows, in the order of the official registry. They are copies of the synthetic rows.
 * Each copy has its own namespaces, wording, ids, digests and times, so the rows compress about as well
 * as real rows. The rows are the same on every machine, because they do not depend on the real data.
 */
export function generateRows({ count, seed = 1 }: GenerateOptions): OfficialRow[] {
  return [...generateUnordered({ count, seed })].sort(
    (left, right) =>
      compareBytes(left.server.name, right.server.name) ||
      compareBytes(left.server.version, right.server.version),
  );
}

/**
 * Yields the rows of {@link generateRows} one by one, without sorting them. Use this for very many rows.
 */
export function* generateUnordered({ count, seed = 1 }: GenerateOptions): Generator<OfficialRow> {
  const { names, words } = base();
  let remaining = count;
  for (let copy = 0; remaining > 0; copy += 1) {
    for (const versions of shuffled(names, randomFrom(`${seed}/${copy}`))) {
      // If the count cuts off a name, the name keeps its latest version.
      for (const row of versions.slice(0, remaining)) yield copyRow(row, { words, seed, copy });
      remaining -= versions.length;
      if (remaining <= 0) return;
    }
  }
}

interface Base {
  /** The versions of each name, latest first. */
  readonly names: readonly OfficialRow[][];
  readonly words: Vocabulary;
}
let made: Base | undefined;

function base(): Base {
  if (made === undefined) {
    const rows = syntheticRows();
    const names = [...Map.groupBy(rows, ({ server }) => server.name).values()].map(latestFirst);
    made = { names, words: vocabulary(rows) };
  }
  return made;
}

function latestFirst(versions: OfficialRow[]): OfficialRow[] {
  const rank = (row: OfficialRow) => (row._meta[OFFICIAL_META].isLatest ? 0 : 1);
  return versions.toSorted((left, right) => rank(left) - rank(right));
}

interface CopyOptions {
  readonly words: Vocabulary;
  readonly seed: number;
  readonly copy: number;
}

function copyRow(row: OfficialRow, { words, seed, copy }: CopyOptions): OfficialRow {
  const [namespace = '', slug = ''] = row.server.name.split('/');
  const owner = namespace.slice(namespace.lastIndexOf('.') + 1);
  const first = randomFrom(`${seed}/${namespace}`).below(PREFIX_COUNT);
  const newOwner = `${prefix(first + copy * PREFIX_STRIDE)}${owner}`;
  const random = randomFrom(`${seed}/${copy}/${row.server.name}/${row.server.version}`);
  // All versions of a name share most of their words, as in the real data.
  const wording = randomFrom(`${seed}/${copy}/${row.server.name}`);

  // Short owners such as `ai` are parts of other words, so replace them only with their separators.
  const [from, to] = owner.length < 4 ? [`.${owner}/`, `.${newOwner}/`] : [owner, newOwner];
  const copied = mapTexts(row, (key, text) => {
    if (key === '$schema') return text;
    if (key === 'description') return reword(text, words, wording);
    if (key === 'id' && /^\d+$/.test(text)) return String(random.below(1_000_000_000));
    return text
      .replaceAll(from, to)
      .replace(/\b[0-9a-f]{40,64}\b/g, (digest) => hex(digest.length, random));
  });
  copied.server.name = `${namespace.slice(0, namespace.length - owner.length)}${newOwner}/${slug}`;
  const meta = copied._meta[OFFICIAL_META];
  // The times of all versions of a name move by the same amount. If a name has no semantic version, time
  // decides which version is the latest.
  const moved = -randomFrom(`${seed}/${copy}/${row.server.name}/moved`).below(20 * 86_400_000);
  const untouched = meta.updatedAt === meta.publishedAt;
  meta.publishedAt = moveTime(meta.publishedAt, moved, random);
  meta.updatedAt = untouched ? meta.publishedAt : moveTime(meta.updatedAt, moved, random);
  return copied;
}

/** Returns a deep copy in which `change` has replaced each text value. */
function mapTexts(row: OfficialRow, change: (key: string, text: string) => string): OfficialRow {
  const copied: unknown = JSON.parse(JSON.stringify(row), (key, value: unknown) =>
    typeof value === 'string' ? change(key, value) : value,
  );
  assertOfficialRow(copied);
  return copied;
}

/** Words of the descriptions, grouped by length, so that a reworded text keeps its length. */
type Vocabulary = ReadonlyMap<number, readonly string[]>;

function vocabulary(rows: readonly OfficialRow[]): Vocabulary {
  const all = rows.flatMap(({ server }) => server.description.match(/[A-Za-z]{4,}/g) ?? []);
  return Map.groupBy(new Set(all), (word) => word.length);
}

function reword(text: string, words: Vocabulary, random: Random): string {
  return text.replace(/(?<!\\)\b[A-Za-z]{4,}\b/g, (word) =>
    random.next() < 0.4 ? random.pick(words.get(word.length) ?? [word]) : word,
  );
}

const SYLLABLES = [...'bdfgklmnprstvzhj'].flatMap((consonant) =>
  [...'aeiou'].map((vowel) => consonant + vowel),
);
const PREFIX_COUNT = SYLLABLES.length ** 3;
/**
 * A number without a common factor with the count. So copies of one namespace get different and distant
 * prefixes.
 */
const PREFIX_STRIDE = 77_783;

/**
 * Returns a prefix of three syllables. Numbers give the same prefix only if they are equal modulo {@link
 * PREFIX_COUNT}.
 */
function prefix(number: number): string {
  const syllable = (place: number) =>
    SYLLABLES[Math.floor(number / SYLLABLES.length ** place) % SYLLABLES.length];
  return `${syllable(2)}${syllable(1)}${syllable(0)}`;
}

function hex(length: number, random: Random): string {
  return Array.from({ length }, () => random.below(16).toString(16)).join('');
}

function moveTime(time: string, byMs: number, random: Random): string {
  const moved = new Date(Date.parse(time) + byMs).toISOString().slice(0, -1);
  return `${moved}${String(random.below(1000)).padStart(3, '0')}Z`;
}
