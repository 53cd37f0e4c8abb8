import type { Random } from './random.ts';
import { sentence, THINGS, variableName } from './words.ts';

/** The properties that all versions of a name share. */
export interface Identity {
  readonly name: string;
  readonly owner: string;
  readonly slug: string;
  readonly description: string;
}

const SCHEMAS = ['2025-07-09', '2025-09-16', '2025-09-29', '2025-10-17'].map(
  (day) => `https://static.modelcontextprotocol.io/schemas/${day}/server.schema.json`,
);
const HOMES = {
  npm: 'https://registry.npmjs.org',
  pypi: 'https://pypi.org',
  oci: 'https://docker.io',
  nuget: 'https://api.nuget.org',
  mcpb: undefined,
} as const;
type RegistryType = keyof typeof HOMES;
const HINTS = ['npx', 'bun', 'uvx', 'docker', 'node', 'python', 'dnx'];

/** Returns a server.json. These are as varied as those of the official registry. */
export function syntheticServer(identity: Identity, version: string, random: Random) {
  const chance = (share: number) => random.next() < share;
  const { name, owner, slug, description } = identity;
  const kind = random.next();
  return {
    ...(chance(0.98) && { $schema: chance(0.02) ? '' : random.pick(SCHEMAS) }),
    name,
    description,
    ...(chance(0.16) && { title: sentence(random, 40) }),
    ...(chance(0.94) && { repository: repository(owner, slug, random) }),
    version,
    ...(chance(0.06) && { websiteUrl: `https://${slug.toLowerCase()}.example.com/${owner}` }),
    ...(chance(0.03) && { icons: [icon(owner, 64), icon(owner, 128)] }),
    ...(kind < 0.65 && { packages: packages(identity, version, random) }),
    ...(kind > 0.62 && kind < 0.97 && { remotes: remotes(identity, random) }),
    ...(chance(0.02) && { _meta: publisherMeta(random) }),
  };
}

function repository(owner: string, slug: string, random: Random) {
  const drawn = random.next();
  if (drawn < 0.12) return {};
  if (drawn < 0.14) return { url: '', source: '' };
  const source = drawn < 0.15 ? 'gitlab' : 'github';
  return {
    url: `https://${source}.com/${owner}/${slug}`,
    source,
    ...(drawn > 0.96 && { id: String(random.below(1_000_000_000)) }),
    ...(drawn > 0.94 && drawn < 0.97 && { subfolder: `packages/${slug}` }),
  };
}

function icon(owner: string, pixels: number) {
  return {
    src: `https://${owner}.example.com/icons/${pixels}.png`,
    mimeType: 'image/png',
    sizes: [`${pixels}x${pixels}`],
  };
}

/** Returns a list of items: mostly one, sometimes two, rarely more. */
function several<Item>(random: Random, most: number, make: (place: number) => Item): Item[] {
  const drawn = random.next();
  const count = drawn < 0.82 ? 1 : drawn < 0.95 ? 2 : 3 + random.below(most - 2);
  return Array.from({ length: count }, (_, place) => make(place));
}

function packages(identity: Identity, version: string, random: Random) {
  const chance = (share: number) => random.next() < share;
  const types: RegistryType[] = ['npm', 'npm', 'npm', 'npm', 'npm', 'pypi', 'pypi', 'oci', 'mcpb'];
  return several(random, 6, () => {
    const registryType = chance(0.02) ? 'nuget' : random.pick(types);
    const home = HOMES[registryType];
    const port = 3_000 + random.below(6_000);
    return {
      registryType,
      ...(home !== undefined && chance(0.6) && { registryBaseUrl: home }),
      identifier: identifier(registryType, identity, version),
      ...(registryType !== 'oci' && chance(0.9) && { version }),
      ...(registryType === 'mcpb' && { fileSha256: hex(64, random) }),
      ...(chance(0.25) && { runtimeHint: random.pick(HINTS) }),
      transport: chance(0.91)
        ? { type: 'stdio' }
        : {
            type: chance(0.9) ? 'streamable-http' : 'sse',
            url: `http://localhost:${port}/mcp`,
          },
      ...(chance(0.07) && { runtimeArguments: someArguments(random) }),
      ...(chance(0.12) && { packageArguments: someArguments(random) }),
      ...(chance(0.45) && { environmentVariables: variables(random) }),
    };
  });
}

function identifier(type: RegistryType, { owner, slug }: Identity, version: string): string {
  switch (type) {
    case 'npm':
      return `@${owner}/${slug}`;
    case 'pypi':
      return slug;
    case 'oci':
      return `ghcr.io/${owner}/${slug}:${version}`;
    case 'mcpb':
      return `https://github.com/${owner}/${slug}/releases/download/v${version}/${slug}.mcpb`;
    case 'nuget':
      return `${owner}.${slug}`;
    default:
      return type satisfies never;
  }
}

function someArguments(random: Random) {
  const chance = (share: number) => random.next() < share;
  return Array.from({ length: 1 + random.below(4) }, () => ({
    type: chance(0.5) ? 'positional' : 'named',
    ...(chance(0.5) && { name: `--${random.pick(THINGS)}` }),
    ...(chance(0.6) && {
      value: random.pick(['run', 'stdio', '-y', '{folder}', 'https://a.example']),
    }),
    ...(chance(0.6) && { description: sentence(random, 60) }),
    ...(chance(0.15) && { valueHint: random.pick(['path', 'url', 'port']) }),
    ...(chance(0.15) && { format: random.pick(['string', 'number', 'filepath']) }),
    ...(chance(0.15) && { isRequired: chance(0.5) }),
    ...(chance(0.1) && { default: '.' }),
    ...(chance(0.1) && { isRepeated: true }),
    ...(chance(0.05) && {
      variables: { folder: { description: sentence(random, 40), format: 'filepath' } },
    }),
  }));
}

function variables(random: Random) {
  const chance = (share: number) => random.next() < share;
  const many = random.next();
  const count =
    many < 0.65 ? 1 + random.below(2) : many < 0.97 ? 2 + random.below(6) : 9 + random.below(28);
  return Array.from({ length: count }, () => ({
    name: variableName(random),
    ...(chance(0.98) && { description: sentence(random, 25 + random.below(75)) }),
    ...(chance(0.88) && {
      format: random.pick(['string', 'string', 'string', 'number', 'boolean']),
    }),
    ...(chance(0.28) && { isSecret: chance(0.9) }),
    ...(chance(0.22) && { isRequired: chance(0.7) }),
    ...(chance(0.28) && {
      default: random.pick(['true', 'false', '30', 'info', 'https://a.example']),
    }),
    ...(chance(0.03) && { choices: ['debug', 'info', 'warn'] }),
    ...(chance(0.03) && { placeholder: `your-${random.pick(THINGS)}-key` }),
  }));
}

function remotes({ owner, slug }: Identity, random: Random) {
  const chance = (share: number) => random.next() < share;
  return several(random, 18, (place) => ({
    type: chance(0.83) ? 'streamable-http' : 'sse',
    url: `https://${owner}.example.com/${slug}/${place === 0 ? 'mcp' : `mcp/${place}`}`,
    ...(chance(0.5) && {
      headers: [
        {
          name: chance(0.7) ? 'Authorization' : `X-${random.pick(THINGS)}-Key`,
          description: sentence(random, 70),
          ...(chance(0.75) && { value: 'Bearer {api_key}' }),
          ...(chance(0.6) && { isSecret: true }),
          ...(chance(0.5) && { isRequired: true }),
          ...(chance(0.05) && { placeholder: 'Bearer …' }),
        },
      ],
    }),
  }));
}

function publisherMeta(random: Random) {
  return {
    'io.modelcontextprotocol.registry/publisher-provided': {
      tool: random.pick(THINGS),
      version: `0.${random.below(9)}.0`,
      buildInfo: { imageSha256: hex(64, random), notes: sentence(random, 600) },
    },
  };
}

function hex(length: number, random: Random): string {
  return Array.from({ length }, () => random.below(16).toString(16)).join('');
}
