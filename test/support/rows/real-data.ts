import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../project.ts';
import { assertOfficialRow, type OfficialRow } from './row.ts';

/** The reason for skipping a test that needs real data. */
export const NO_REAL_DATA =
  'the real registry data is not there: set SYNCLINE_TEST_DATA to the directory that holds it';

/**
 * Returns the directory of the real data: `SYNCLINE_TEST_DATA`, relative to the project's root. Default:
 * `../shared/data`.
 */
export function realDataDirectory(): string {
  return path.resolve(projectRoot, process.env['SYNCLINE_TEST_DATA'] ?? '../shared/data');
}

const baseSchema = z.object({ servers: z.array(z.unknown()) });

/** Returns the 1,019 rows of the official registry on 2025-10-07, or `undefined` if the data is absent. */
export function loadOfficialBase(): OfficialRow[] | undefined {
  const text = readData('official-history/base.json');
  return text === undefined ? undefined : asRows(baseSchema.parse(JSON.parse(text)).servers);
}

const changeSchema = z.object({
  seq: z.int(),
  observedAt: z.string(),
  total: z.int(),
  upserts: z.array(z.unknown()),
  // In this data, no step removes a row.
  removes: z.array(z.unknown()).length(0),
});

/** One step of the official registry after the base. Steps are four hours apart. */
export interface OfficialChange {
  readonly seq: number;
  readonly observedAt: string;
  /** The number of rows after the step. */
  readonly total: number;
  readonly upserts: readonly OfficialRow[];
}

/** Returns the real changes after the base, in order, or `undefined` if the data is absent. */
export function loadOfficialChanges(): OfficialChange[] | undefined {
  return readData('official-history/changes.ndjson')
    ?.split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { seq, observedAt, total, upserts } = changeSchema.parse(JSON.parse(line));
      return { seq, observedAt, total, upserts: asRows(upserts) };
    });
}

/**
 * Returns the first 100 rows, which a mirror of the official registry once kept by mistake, or `undefined` if the data
 * is absent.
 */
export function loadTruncatedScrape(): OfficialRow[] | undefined {
  const text = readData('incidents/truncated-scrape-2025-09-30T2029Z.json');
  return text === undefined ? undefined : asRows(z.array(z.unknown()).parse(JSON.parse(text)));
}

const serverSchema = z.looseObject({ name: z.string(), version: z.string() });
export type RealServer = z.infer<typeof serverSchema>;

/**
 * Returns the servers of another registry, or `undefined` if the data is absent. All their names also exist in the
 * official registry.
 */
export function loadConflictingServers(): RealServer[] | undefined {
  const text = readData('conflicts/agentregistry-2026-04-20.json');
  return text === undefined ? undefined : z.array(serverSchema).parse(JSON.parse(text));
}

const toolhiveSchema = z.looseObject({
  data: z.looseObject({
    servers: z.array(serverSchema),
  }),
});
export type ToolhiveExample = z.infer<typeof toolhiveSchema>;

/** Returns the 12 servers of ToolHive's example of an `UpstreamRegistry`, or `undefined` if the data is absent. */
export function loadToolhiveExample(): ToolhiveExample | undefined {
  const text = readData('toolhive/upstream-registry-example-2025-11-26.json');
  return text === undefined ? undefined : toolhiveSchema.parse(JSON.parse(text));
}

function asRows(values: unknown[]): OfficialRow[] {
  return values.map((value) => {
    assertOfficialRow(value);
    return value;
  });
}

function readData(name: string): string | undefined {
  const file = path.join(realDataDirectory(), name);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
