import type { Random } from './random.ts';

/** The share of names that have this many versions: most names have one version, and a few have very many. */
const COUNTS: readonly (readonly [share: number, least: number, most: number])[] = [
  [0.7, 1, 1],
  [0.15, 2, 2],
  [0.08, 3, 4],
  [0.05, 5, 8],
  [0.02, 9, 27],
];

/** Versions that are not semantic, so time decides which one is the latest. */
const ODD: readonly ((place: number, random: Random) => string)[] = [
  (place) => `2.${place + 1}`,
  (place, random) => `2025.${10 + place}.${1 + random.below(28)}.${1000 + random.below(1400)}`,
  (place) => `0.7.10.dev${place + 1}`,
  (place) => `0.5.2rc${place + 1}`,
  (place) => `1.0.${place + 1}º`,
  (place) => ['auto', 'main', '{{VERSION}}', 'mcp', 'stable'][place % 5] ?? '',
];

/** Semantic versions, each higher than the one before. */
const SEMANTIC: readonly ((place: number, random: Random) => string)[] = [
  (place, random) => `1.${place}.${random.below(20)}`,
  (place, random) => `0.${place + 1}.${random.below(10)}`,
  (place) => `1.0.${place}`,
  (place) => `0.1.${30 + place}-beta`,
  (place) => `2.0.0-alpha.${104 + place}`,
  (place) => `v16.${28 + place}.1-2`,
  (place) => `0.${place}.0-rc.1`,
];
const USUAL_STYLES = 3;

/**
 * Returns the versions of one name, oldest first. The last one is the latest version by the rule of the official
 * registry.
 */
export function versionsOf(random: Random): string[] {
  const style = pickStyle(random);
  // There are only five odd words.
  const count = Math.min(howMany(random), style === ODD.at(-1) ? 5 : Number.POSITIVE_INFINITY);
  return Array.from({ length: count }, (_, place) => style(place, random));
}

function pickStyle(random: Random) {
  const drawn = random.next();
  if (drawn < 0.03) return random.pick(ODD);
  return random.pick(drawn < 0.1 ? SEMANTIC : SEMANTIC.slice(0, USUAL_STYLES));
}

function howMany(random: Random): number {
  let drawn = random.next();
  for (const [share, least, most] of COUNTS) {
    if (drawn < share) return least + random.below(most - least + 1);
    drawn -= share;
  }
  return 1;
}
