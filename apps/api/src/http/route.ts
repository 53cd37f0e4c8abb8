import { type Role, SynclineError } from '@syncline/contract';
import type { z } from 'zod';
import type { ApiDependencies } from '../dependencies.ts';
import type { LoadClass } from '../load/limit-load.ts';

/** A request as handlers receive it. */
export interface ApiRequest<Param extends string = never> {
  /** The decoded parameters of the route's path. */
  readonly params: Readonly<Record<Param, string>>;
  readonly query: URLSearchParams;
  /** The parsed JSON body; an empty object if the request has no body. */
  readonly body: unknown;
  /** Aborted when the client disconnects or the process stops. */
  readonly signal: AbortSignal;
  /**
   * Lets other requests compute while `work` waits for another process.
   *
   * @throws SynclineError `overloaded` if too many requests wait
   */
  readonly whileWaiting: <Result>(work: () => Promise<Result>) => Promise<Result>;
}

/**
 * The answer of a handler. A string is sent unchanged, with the `content-type` in `headers`. Any other
 * body is sent as JSON.
 */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler<Param extends string = never> = (
  dependencies: ApiDependencies,
  request: ApiRequest<Param>,
) => Promise<Answer>;

/** An entry of the table of routes. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /**
   * The path in the notation of OpenAPI: `/v1/registries/{name}`. A parameter is one segment of the raw
   * path.
   */
  readonly path: string;
  /** What the caller must be allowed to do. */
  readonly access: Role | 'open';
  readonly handle: Handler<string>;
  /** What a request costs. A `probe` costs nothing, and is answered under any load. */
  readonly cost: LoadClass | 'probe';
}

type ParamsOf<Path extends string> = Path extends `${string}{${infer Param}}${infer Rest}`
  ? Param | ParamsOf<Rest>
  : never;

/** Creates a route that everyone may read. */
export function open<const Path extends string>(
  path: Path,
  handle: Handler<ParamsOf<Path>>,
  { cost = 'probe' }: Partial<Pick<Route, 'cost'>> = {},
): Route {
  return { method: 'GET', path, access: 'open', handle: withParams(handle), cost };
}

/** Creates a route that only reads. The caller needs the role `read`. */
export function get<const Path extends string>(
  path: Path,
  handle: Handler<ParamsOf<Path>>,
  { cost = 'state' }: Partial<Pick<Route, 'cost'>> = {},
): Route {
  return { method: 'GET', path, access: 'read', handle: withParams(handle), cost };
}

/** Creates a route that changes something. The caller needs the role `operate`. */
export function post<const Path extends string>(
  path: Path,
  handle: Handler<ParamsOf<Path>>,
): Route {
  return { method: 'POST', path, access: 'operate', handle: withParams(handle), cost: 'control' };
}

function withParams<Param extends string>(handle: Handler<Param>): Handler<string> {
  // The router sets every parameter of the path, and `ParamsOf` is derived from the same path.
  return (dependencies, request) => handle(dependencies, request as ApiRequest<Param>);
}

/** Creates an answer with one page of a list. @param page.json the JSON of the items */
export function okList(
  name: string,
  { json, nextCursor }: { json: string; nextCursor: string | undefined },
): Answer {
  const next = nextCursor === undefined ? '' : `,"nextCursor":${JSON.stringify(nextCursor)}`;
  return {
    status: 200,
    body: `{"${name}":${json}${next}}`,
    headers: { 'content-type': 'application/json; charset=utf-8' },
  };
}

/** Creates an answer, with status 200 by default. */
export function ok(body: unknown, { status = 200 }: { status?: number } = {}): Answer {
  return { status, body };
}

/** Parses a request's body. @throws {SynclineError} `bad-request`, naming each invalid field */
export function parseBody<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new SynclineError('bad-request', `invalid body: ${problems.join('; ')}`);
}
