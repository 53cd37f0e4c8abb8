/**
 * Converts ToolHive's registry format from before server.json: maps from short names to container or remote servers.
 * Each entry becomes the same server.json that ToolHive makes from it.
 *
 * @see the ToolHive registry schema, and its upstream registry format
 */

import { sha256 } from '@syncline/contract';
import { z } from 'zod';
import { OFFICIAL_META, PUBLISHER_META } from '../row.ts';

const NAMESPACE = 'io.github.stacklok';
const SERVER_SCHEMA =
  'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json';
/** The version of a remote server, and of an image without a version in its tag. */
const UNKNOWN_VERSION = '1.0.0';

const map = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

const legacySection = z.object({ servers: map.nullish(), remote_servers: map.nullish() });
const legacyRegistry = legacySection
  .extend({
    version: z.string().optional(),
    last_updated: z.string().optional(),
    groups: z.array(legacySection).nullish(),
  })
  .refine(({ version, last_updated }) => (version ?? last_updated) !== undefined)
  .refine(({ servers, remote_servers }) => (servers ?? remote_servers ?? undefined) !== undefined);

/** An entry of a legacy map. */
export interface LegacyEntry {
  readonly key: string;
  readonly kind: 'container' | 'remote';
  /** The unread value. */
  readonly item: unknown;
  /** Identifies the server to people. */
  readonly label: string;
  /** Whether an earlier, different entry has the same key. */
  readonly isTaken: boolean;
}

/** A value that may be a row, or the reason why the entry gives no row. */
export type RowCandidate =
  | { readonly row: unknown }
  | { readonly label: string; readonly reason: string };

/**
 * Returns the entries of ToolHive's legacy format without repetitions. The entries of groups come last. Returns
 * `undefined` if the value has another format.
 *
 * @param readItem reads the value of an entry, to compare entries with the same key
 */
export function legacyEntries(
  value: unknown,
  readItem: (item: unknown) => object,
): LegacyEntry[] | undefined {
  const registry = legacyRegistry.safeParse(value);
  if (!registry.success) return undefined;
  const { groups, ...top } = registry.data;
  const digestOf = ({ kind, item }: LegacyEntry) => sha256(JSON.stringify([kind, readItem(item)]));
  const first = new Map<string, { readonly entry: LegacyEntry; digest?: string }>();
  const entries = (kind: LegacyEntry['kind'], servers: z.infer<typeof map> | null | undefined) =>
    Object.entries(servers ?? {}).flatMap(([key, item]): LegacyEntry[] => {
      const entry = { key, kind, item, label: `${nameOf(key)}@?`, isTaken: false };
      const known = first.get(key);
      if (known === undefined) {
        first.set(key, { entry });
        return [entry];
      }
      // Reads the first entry only once, because many entries may have its key.
      known.digest ??= digestOf(known.entry);
      return known.digest === digestOf(entry) ? [] : [{ ...entry, isTaken: true }];
    });
  return [top, ...(groups ?? [])].flatMap(({ servers, remote_servers }) => [
    ...entries('container', servers),
    ...entries('remote', remote_servers),
  ]);
}

/** Like ToolHive: a key with a slash is a full name. */
function nameOf(key: string): string {
  return key.includes('/') ? key : `${NAMESPACE}/${key}`;
}

const text = z.string().optional();
const inputSchema = z.object({
  name: z.string(),
  description: text,
  required: z.boolean().optional(),
  secret: z.boolean().optional(),
  default: z.union([z.string(), z.number(), z.boolean()]).transform(String).optional(),
  choices: z.array(z.string()).optional(),
});
const inputs = z.array(inputSchema).nullish();
const commonEntry = z.object({
  title: text,
  description: text,
  status: text,
  repository_url: text,
  env_vars: inputs,
});
const containerEntry = commonEntry.extend({
  image: z.string().min(1),
  transport: z.enum(['stdio', 'sse', 'streamable-http']).default('stdio'),
  target_port: z.int().min(0).max(65_535).optional(),
  args: z.array(z.string()).nullish(),
});
const remoteEntry = commonEntry.extend({
  url: z.string().min(1),
  transport: z.enum(['sse', 'streamable-http']).default('sse'),
  headers: inputs,
});

/** Members that server.json has too. All others go to the publisher's block. */
const MAPPED_COMMON = ['name', 'title', 'description', 'transport', 'repository_url'];
const MAPPED = {
  container: new Set([...MAPPED_COMMON, 'image', 'target_port', 'env_vars']),
  remote: new Set([...MAPPED_COMMON, 'url', 'headers']),
};

/** Returns the row of an entry, or the reason why the entry gives no row. @param entry the value of the entry */
export function convertLegacyEntry(
  { key, kind, label, isTaken }: LegacyEntry,
  entry: unknown,
): RowCandidate {
  const name = nameOf(key);
  if (isTaken)
    return {
      label,
      reason: 'the source has another server with the same key. The first server is kept',
    };
  const parsed = (kind === 'container' ? containerEntry : remoteEntry).safeParse(entry);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { label, reason: `${issue?.path.join('.')}: ${issue?.message}` };
  }
  const { title, description, status, repository_url } = parsed.data;
  const place = 'image' in parsed.data ? containerPlace(parsed.data) : remotePlace(parsed.data);
  const { identifier, version, ...places } = place;
  const server = {
    $schema: SERVER_SCHEMA,
    name,
    description,
    title: title ?? key,
    ...(repository_url ? { repository: repositoryOf(repository_url) } : {}),
    version,
    ...places,
    _meta: {
      [PUBLISHER_META]: { [NAMESPACE]: { [identifier]: extensionsOf(entry, MAPPED[kind]) } },
    },
  };
  const isDeprecated = status?.toLowerCase() === 'deprecated';
  const _meta = isDeprecated ? { [OFFICIAL_META]: { status: 'deprecated' } } : {};
  return { row: { server, _meta } };
}

function containerPlace(entry: z.infer<typeof containerEntry>) {
  const { image, transport, target_port, args, env_vars } = entry;
  const port = target_port ? `:${target_port}` : '';
  const url = transport === 'stdio' ? {} : { url: `http://localhost${port}` };
  const packaged = {
    registryType: 'oci',
    identifier: image,
    transport: { type: transport, ...url },
    ...(args?.length
      ? { packageArguments: args.map((value) => ({ type: 'positional', value })) }
      : {}),
    ...(env_vars?.length ? { environmentVariables: env_vars.map(inputOf) } : {}),
  };
  return { identifier: image, version: versionOf(image), packages: [packaged] };
}

function remotePlace({ url, transport, headers }: z.infer<typeof remoteEntry>) {
  const withHeaders = headers?.length ? { headers: headers.map(inputOf) } : {};
  const remote = { type: transport, url, ...withHeaders };
  return { identifier: url, version: UNKNOWN_VERSION, remotes: [remote] };
}

function inputOf({ required, secret, ...input }: z.infer<typeof inputSchema>) {
  return {
    ...input,
    ...(required ? { isRequired: true } : {}),
    ...(secret ? { isSecret: true } : {}),
  };
}

/**
 * Returns the version in the tag of an image, without a `v`. `latest`, `main` and `1.x` are not versions. Never uses
 * the current time, because every server would then have a new version at each sync.
 */
function versionOf(image: string): string {
  const tag = /^[^@]*:v?(\d[\w.-]*)(?:@|$)/.exec(image)?.[1];
  return tag === undefined || /\.x(\.|$)/i.test(tag) ? UNKNOWN_VERSION : tag;
}

const SOURCES = new Map([
  ['github.com', 'github'],
  ['gitlab.com', 'gitlab'],
  ['bitbucket.org', 'bitbucket'],
]);

function repositoryOf(url: string): { url: string; source: string } {
  return { url, source: SOURCES.get(URL.parse(url)?.hostname ?? '') ?? 'git' };
}

function extensionsOf(entry: unknown, mapped: ReadonlySet<string>): object {
  return Object.fromEntries(Object.entries(Object(entry)).filter(([key]) => !mapped.has(key)));
}
