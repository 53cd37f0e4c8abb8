import { SynclineError } from '@syncline/contract';
import { type ConflictMember, listConflicts, pageLimitSchema, parseQuery } from '@syncline/serving';
import { z } from 'zod';
import { membersOf } from '../catalogs.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findCatalog } from '../registries.ts';

const querySchema = z.object({ limit: pageLimitSchema, cursor: z.string().max(8_000).optional() });
const cursorSchema = z.tuple([z.string().min(1), z.string().min(1)]);

/**
 * `GET /v1/catalogs/{name}/conflicts`: versions that registries of the catalog describe differently, as
 * these stand now. Pages are by name and version, so that they go on where they were.
 */
export async function getConflicts(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'name'>,
): Promise<Answer> {
  const { limit, cursor } = parseQuery(querySchema, query);
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const target = await findCatalog(dependencies, params.name);
  const members = await Promise.all(
    membersOf(target).map((registry) => openMember(dependencies, registry)),
  );
  const { conflicts, next } = await listConflicts(members.flat(), {
    filter: target.filter,
    limit,
    after,
  });
  return ok({ conflicts, ...(next === undefined ? {} : { nextCursor: encodeCursor(next) }) });
}

/** None of one that was never synced. */
async function openMember(
  { snapshots }: ApiDependencies,
  registry: string,
): Promise<ConflictMember[]> {
  const snapshot = await snapshots.open(registry);
  return snapshot === undefined ? [] : [{ registry, snapshot }];
}

function encodeCursor({ name, version }: { name: string; version: string }): string {
  return Buffer.from(JSON.stringify([name, version])).toString('base64url');
}

function decodeCursor(cursor: string): { name: string; version: string } {
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString()));
  if (parsed.success) return { name: parsed.data[0], version: parsed.data[1] };
  throw new SynclineError('bad-request', 'invalid query: cursor', {
    expected: 'the nextCursor of an earlier page, unchanged',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
