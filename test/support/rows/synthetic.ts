import { OFFICIAL_META } from '@syncline/rows';
import { randomFrom } from './random.ts';
import type { OfficialRow } from './row.ts';

const OWNERS =
  'acorn basalt cinder delphi ember fathom garnet harbor indigo juniper kestrel lumen marlow nimbus opaline pewter quarry raven solace timber umber vesper willow yarrow zephyr'.split(
    ' ',
  );
const THINGS =
  'calendar invoice weather search notes kanban ledger mail database browser translate maps metrics storage diagram payroll archive camera chess'.split(
    ' ',
  );
const WORDS =
  'lets agents read write search list create update records files tables events through official hosted local secure typed simple fast server client for with and from your their team account workspace API SQL documents tickets prices reports'.split(
    ' ',
  );
const NAME_COUNT = 400;
const FIRST_PUBLISHED_MS = Date.UTC(2025, 8, 8);

/** Rows of our own making, for where the real data is absent: 400 names of one to four versions. */
export function syntheticRows(): OfficialRow[] {
  const random = randomFrom('synthetic');
  const sentence = (count: number) =>
    Array.from({ length: count }, () => random.pick(WORDS)).join(' ');
  return Array.from({ length: NAME_COUNT }, (_, index): OfficialRow[] => {
    const owner = random.pick(OWNERS);
    const slug = `${random.pick(THINGS)}-mcp-${index}`;
    const description = sentence(6 + random.below(6)).slice(0, 100);
    const variables = Array.from({ length: random.below(5) }, () => ({
      name: `${random.pick(THINGS).toUpperCase()}_${random.pick(WORDS).toUpperCase()}`,
      description: sentence(4 + random.below(10)),
      isRequired: random.next() < 0.5,
      isSecret: random.next() < 0.5,
    }));
    const versions = random.next() < 0.6 ? 1 : 2 + random.below(3);
    return Array.from({ length: versions }, (__, place): OfficialRow => {
      const version = `1.${place}.${random.below(20)}`;
      const published = FIRST_PUBLISHED_MS + (index * 7 + place * 29) * 3_600_000;
      const publishedAt = new Date(published).toISOString();
      return {
        server: {
          $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
          name: `io.github.${owner}/${slug}`,
          description,
          repository: { url: `https://github.com/${owner}/${slug}`, source: 'github' },
          version,
          packages: [
            {
              registryType: 'npm',
              identifier: `@${owner}/${slug}`,
              version,
              transport: { type: 'stdio' },
              ...(variables.length > 0 && { environmentVariables: variables }),
            },
          ],
        },
        _meta: {
          [OFFICIAL_META]: {
            status: 'active',
            publishedAt,
            updatedAt: publishedAt,
            isLatest: place === versions - 1,
          },
        },
      };
    });
  }).flat();
}
