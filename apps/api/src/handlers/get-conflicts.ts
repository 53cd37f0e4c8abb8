import { type ConflictMember, listConflicts, pageLimitSchema, parseQuery } from '@syncline/serving';
import { z } from 'zod';
import { membersOf } from '../catalogs.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok } from '../http/route.ts';
import { findCatalog } from '../registries.ts';

const querySchema = z.object({ limit: pageLimitSchema, cursor: z.string().max(8_000).optional() });

/**
 * `GET /v1/catalogs/{name}/conflicts`: versions that registries of the catalog describe differently, as
 * these stand now. Pages are by name and version, so that they go on where they were.
 */
export async function getConflicts(
  dependencies: ApiDependencies,
  { params, query }: ApiRequest<'name'>,
): Promise<Answer> {
  const { limit, cursor } = parseQuery(querySchema, query);
  const target = await findCatalog(dependencies, params.name);
  const members = await Promise.all(
    membersOf(target).map((registry) => openMember(dependencies, registry)),
  );
  const { conflicts, nextCursor } = await listConflicts(members.flat(), {
    filter: target.filter,
    limit,
    cursor,
  });
  return ok({ conflicts, ...(nextCursor === undefined ? {} : { nextCursor }) });
}

/** None of one that was never synced. */
async function openMember(
  { snapshots }: ApiDependencies,
  registry: string,
): Promise<ConflictMember[]> {
  const snapshot = await snapshots.open(registry);
  return snapshot === undefined ? [] : [{ registry, snapshot }];
}
