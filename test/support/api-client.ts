import { controlSchema, heldSchema, runSchema, statusSchema } from '@syncline/contract';
import { z } from 'zod';
import { assertOfficialRow, type OfficialRow } from './rows/row.ts';

const registrySchema = z.looseObject({
  name: z.string(),
  source: z.object({ kind: z.string(), location: z.string() }),
  schedule: z.looseObject({}),
  status: statusSchema.omit({ snapshot: true, held: true, leaseUntil: true }),
  snapshot: z.string().nullable(),
  control: z.object({
    suspended: z.boolean(),
    suspendedBy: z.enum(['config', 'control']).nullable(),
    note: z.string().nullable(),
    pinned: z.string().nullable(),
    requested: controlSchema.shape.requested,
    handled: controlSchema.shape.handled,
  }),
  stale: z.boolean(),
  held: heldSchema.nullable(),
});
export type Registry = z.infer<typeof registrySchema>;

const runsSchema = z.object({ runs: z.array(runSchema), nextCursor: z.string().optional() });
const pageSchema = z.looseObject({
  servers: z.array(z.unknown()),
  metadata: z.looseObject({ count: z.int(), nextCursor: z.string().optional() }),
});

/** An answer of the api. The body is parsed from JSON. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface ApiClientOptions {
  readonly url: string;
  /** The admin token, sent as a bearer token. */
  readonly token?: string;
}

/** The client with which tests send requests to an api. */
export interface ApiClient {
  readonly url: string;
  get(path: string): Promise<ApiAnswer>;
  post(path: string, body?: object): Promise<ApiAnswer>;
  /** Reads JSON. @throws if the status is not 200 or the body does not match the schema */
  getJson<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>>;
  registry(name: string): Promise<Registry>;
  /** Returns up to 100 runs, newest first. */
  runs(registry: string): Promise<z.output<typeof runSchema>[]>;
  /** Requests a sync, and waits for the run that handles it. */
  sync(registry: string, options?: { force?: boolean }): Promise<z.output<typeof runSchema>>;
  /** Returns every row that a catalog serves, from all pages, in the served order. */
  allServers(catalog: string, options?: AllServersOptions): Promise<OfficialRow[]>;
}

export interface AllServersOptions {
  readonly limit?: number;
  /** More query parameters, such as `version` or `include_deleted`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The longest time that the api waits. It only ends a wait that hangs. */
const SYNC_WAIT_SECONDS = 600;

export function createApiClient({ url, token }: ApiClientOptions): ApiClient {
  const request = async (method: string, path: string, body?: object): Promise<ApiAnswer> => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: await readBody(response) };
  };
  const getJson = async <Schema extends z.ZodType>(path: string, schema: Schema) =>
    parseOk(`GET ${path}`, await request('GET', path), schema);

  return {
    url,
    get: (path) => request('GET', path),
    post: (path, body = {}) => request('POST', path, body),
    getJson,
    registry: (name) => getJson(`/v1/registries/${name}`, registrySchema),
    runs: async (registry) =>
      (await getJson(`/v1/registries/${registry}/runs?limit=100`, runsSchema)).runs,
    sync: async (registry, { force = false } = {}) => {
      const path = `/v1/registries/${registry}/sync`;
      const answer = await request('POST', path, { force, wait: SYNC_WAIT_SECONDS });
      return parseOk(`POST ${path}`, answer, runSchema);
    },
    allServers: (catalog, options = {}) =>
      walk(`/registry/${catalog}/v0.1/servers`, options, (path) => getJson(path, pageSchema)),
  };
}

function parseOk<Schema extends z.ZodType>(
  what: string,
  { status, body }: ApiAnswer,
  schema: Schema,
): z.output<Schema> {
  if (status === 200) return schema.parse(body);
  throw new Error(`expected 200 of ${what}, got ${status}: ${JSON.stringify(body)}`);
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  return /\bjson\b/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text;
}

async function walk(
  path: string,
  { limit = 100, parameters = {} }: AllServersOptions,
  getPage: (path: string) => Promise<z.output<typeof pageSchema>>,
): Promise<OfficialRow[]> {
  const rows: OfficialRow[] = [];
  const cursors = new Set<string>();
  for (;;) {
    const cursor = [...cursors].at(-1);
    const query = new URLSearchParams({
      limit: String(limit),
      ...parameters,
      ...(cursor !== undefined && { cursor }),
    });
    const { servers, metadata } = await getPage(`${path}?${query}`);
    if (metadata.count !== servers.length) {
      throw new Error(`the page says ${metadata.count} rows and has ${servers.length}`);
    }
    for (const row of servers) {
      assertOfficialRow(row);
      rows.push(row);
    }
    if (metadata.nextCursor === undefined) return rows;
    if (cursors.has(metadata.nextCursor)) {
      throw new Error(`the cursor ${metadata.nextCursor} is given twice`);
    }
    cursors.add(metadata.nextCursor);
  }
}
