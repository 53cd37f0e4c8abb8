import { OFFICIAL_META } from '@syncline/rows';
import { type Random, randomFrom } from './random.ts';
import type { OfficialRow } from './row.ts';
import { syntheticServer } from './synthetic-server.ts';
import { versionsOf } from './versions.ts';
import { owner, sentence, THINGS } from './words.ts';

const NAME_COUNT = 600;
const FIRST_PUBLISHED_MS = Date.UTC(2025, 8, 8);
const BETWEEN_NAMES_MS = 4 * 3_600_000;
const BETWEEN_VERSIONS_MS = 29 * 3_600_000;
/**
 * An owner that publishes for others, with a quarter of all names. One namespace of the official registry does the
 * same.
 */
const MARKET = 'ai.bazaar';
const DOMAINS =
  'ai ai ai com com com com io io dev dev app app net co org ch md travel garden xyz'.split(' ');

/**
 * Returns synthetic rows: 600 names with one to 27 versions, as varied as those of the official registry. No row is
 * deleted, because the official registry does not list deleted rows.
 */
export function syntheticRows(): OfficialRow[] {
  const random = randomFrom('synthetic');
  return Array.from({ length: NAME_COUNT }, (_, index) => rowsOfName(index, random)).flat();
}

function rowsOfName(index: number, random: Random): OfficialRow[] {
  const publisher = owner(random);
  const slug = slugOf(index, random);
  const identity = {
    name: `${namespaceOf(publisher, random)}/${slug}`,
    owner: publisher,
    slug,
    // Most descriptions are close to the limit of 100 characters.
    description: sentence(
      random,
      random.next() < 0.55 ? 85 + random.below(16) : 26 + random.below(65),
    ),
  };
  const versions = versionsOf(random);
  let edition = 0;
  return versions.map((version, place): OfficialRow => {
    // Most versions differ from the previous version only in their number.
    if (random.next() < 0.15) edition += 1;
    const publishedMs =
      FIRST_PUBLISHED_MS +
      index * BETWEEN_NAMES_MS +
      place * BETWEEN_VERSIONS_MS +
      random.below(1_000);
    const edited = random.next() < 0.2;
    return {
      server: syntheticServer(identity, version, randomFrom(`${identity.name}/${edition}`)),
      _meta: {
        [OFFICIAL_META]: {
          status: random.next() < 0.02 ? 'deprecated' : 'active',
          publishedAt: new Date(publishedMs).toISOString(),
          updatedAt: new Date(publishedMs + (edited ? random.below(86_400_000) : 0)).toISOString(),
          isLatest: place === versions.length - 1,
        },
      },
    };
  });
}

function namespaceOf(publisher: string, random: Random): string {
  const drawn = random.next();
  if (drawn < 0.25) return MARKET;
  if (drawn < 0.78) return `io.github.${publisher}`;
  const domain = `${random.pick(DOMAINS)}.${publisher.toLowerCase()}`;
  return drawn < 0.81 ? `${domain}.mcp` : domain;
}

/** Returns the second part of a name. The number makes it unique. */
function slugOf(index: number, random: Random): string {
  const thing = random.pick(THINGS);
  const drawn = random.next();
  if (drawn < 0.07) return `${thing.replace(/^./, (first) => first.toUpperCase())}MCP${index}`;
  if (drawn < 0.1) return `${thing.replaceAll('-', '_')}_mcp_${index}`;
  if (drawn < 0.11) return `${thing}.mcp.${index}`;
  if (drawn < 0.3) return `${thing}${index}`;
  if (drawn < 0.6) return `mcp-${thing}-${index}`;
  return `${thing}-mcp-server-${index}`;
}
