import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { withholdingCredentials } from '../create-source.ts';
import type { Source, SourceReading, TakeBody } from '../source.ts';
import { keyOf, type TestRow } from './delta-source.ts';
import { sourceContext } from './source-context.ts';

export const CREDENTIAL = 'hunter2-hunter2';

/** A source with an upstream that the test controls. */
export interface SourceFixture {
  /** Makes these rows the state of the upstream, as if they had been published some time ago. */
  publish(rows: readonly TestRow[]): unknown;
  /** Opens the source as a new run does. */
  open(): Source;
}

export interface SourceTraits {
  /** Whether a cheap check can detect that nothing has changed. */
  readonly hasProbe: boolean;
  /**
   * The number of requests that `probe` and `fetch` together send if the state of the upstream has
   * changed.
   */
  readonly requestsOfChange: number;
  readonly create: () => Promise<SourceFixture>;
  /**
   * Opens a source that sends {@link CREDENTIAL} to an upstream. The upstream rejects the credential and
   * sends it back. Only for kinds with credentials.
   */
  readonly openRefused?: () => Promise<Source>;
}

const BEFORE: readonly TestRow[] = [
  { name: 'a/changes', version: '1.0.0', description: 'before' },
  { name: 'a/goes', version: '1.0.0' },
  { name: 'a/stays', version: '1.0.0' },
];
const AFTER: readonly TestRow[] = [
  { name: 'a/changes', version: '1.0.0', description: 'after' },
  { name: 'a/comes', version: '1.0.0' },
  { name: 'a/stays', version: '1.0.0' },
];

/** A revision of another source, or one that the upstream no longer knows. */
const KNOWN_ELSEWHERE = JSON.stringify({ digest: 'of another source' });

const listSchema = z.object({
  metadata: z.object({ nextCursor: z.string().optional() }),
  servers: z.array(
    z.object({
      server: z.object({
        name: z.string(),
        version: z.string(),
        description: z.string().optional(),
      }),
    }),
  ),
});

/** The rows of a caller that applies the readings of a source. */
class Rows {
  readonly #rows = new Map<string, TestRow>();
  revision: string | undefined;

  async read(source: Source, context = sourceContext(), since?: string): Promise<SourceReading> {
    const taken = new Map<string, TestRow>();
    const take: TakeBody = async (body) => {
      const { servers, metadata } = listSchema.parse(JSON.parse(Buffer.from(body).toString()));
      for (const { server } of servers) taken.set(keyOf(server), server);
      return { format: 'registry-list', rowCount: servers.length, nextCursor: metadata.nextCursor };
    };
    const reading = await source.fetch(take, context, { since });
    if (reading.kind === 'whole') this.#rows.clear();
    else for (const key of reading.removals) this.#rows.delete(keyOf(key));
    for (const [key, row] of taken) this.#rows.set(key, row);
    this.revision = reading.revision;
    return reading;
  }

  get sorted(): TestRow[] {
    return [...this.#rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  }
}

/** Returns the fixture, and the rows of its first state as a run has read them. */
async function setUp(create: SourceTraits['create']) {
  const fixture = await create();
  await fixture.publish(BEFORE);
  const rows = new Rows();
  const first = await rows.read(fixture.open());
  return { fixture, rows, first, known: rows.revision ?? '' };
}

/** Tests that a kind of source satisfies the contract of every source. */
export function describeSource(kind: string, traits: SourceTraits): void {
  describe(`a source of the kind ${kind}`, () => {
    describeReading(traits);
    describeEnding(traits);
  });
}

function describeReading({ create, hasProbe, requestsOfChange }: SourceTraits): void {
  test('returns the whole state without a known revision', async () => {
    const { rows, first } = await setUp(create);
    expect(first.kind).toBe('whole');
    expect(rows.sorted).toEqual(BEFORE);
  });

  test('finds no change with at most one small request, or has no cheap check', async () => {
    const { fixture, known } = await setUp(create);
    const context = sourceContext();
    const { state } = await fixture.open().probe(known, context);
    expect(state).toBe(hasProbe ? 'unchanged' : 'changed');
    expect(context.upstream.requests).toBeLessThanOrEqual(hasProbe ? 1 : 0);
  });

  test('sees a change, and the fetch does not read again what the probe has read', async () => {
    const { fixture, rows, known } = await setUp(create);
    await fixture.publish(AFTER);
    const context = sourceContext();
    const source = fixture.open();
    expect(await source.probe(known, context)).toEqual({ state: 'changed' });
    await rows.read(source, context);
    expect(rows.sorted).toEqual(AFTER);
    expect(context.upstream.requests).toBe(requestsOfChange);
    const { state } = await fixture.open().probe(rows.revision ?? '', sourceContext());
    expect(state).toBe(hasProbe ? 'unchanged' : 'changed');
  });

  test('updates the caller’s state to the current one', async () => {
    const { fixture, rows, known } = await setUp(create);
    await fixture.publish(AFTER);
    const reading = await rows.read(fixture.open(), sourceContext(), known);
    if (reading.kind === 'delta') expect(reading).toMatchObject({ since: known, complete: true });
    expect(rows.sorted).toEqual(AFTER);
  });

  test('returns the whole state if it does not know the caller’s revision', async () => {
    const { fixture, rows } = await setUp(create);
    const reading = await rows.read(fixture.open(), sourceContext(), KNOWN_ELSEWHERE);
    expect(reading.kind).toBe('whole');
    expect(rows.sorted).toEqual(BEFORE);
  });

  test('returns the whole state a second time in one run', async () => {
    const { fixture, rows } = await setUp(create);
    const source = fixture.open();
    await rows.read(source);
    expect((await rows.read(source)).kind).toBe('whole');
    expect(rows.sorted).toEqual(BEFORE);
  });
}

function describeEnding({ create, hasProbe, openRefused }: SourceTraits): void {
  test('ends when aborted, and passes on no rows', async () => {
    const { fixture, known } = await setUp(create);
    await fixture.publish(AFTER);
    const context = sourceContext({ signal: AbortSignal.abort(new Error('the time is up')) });
    if (hasProbe) {
      await expect(fixture.open().probe(known, context)).rejects.toThrow('the time is up');
    }
    const take: TakeBody = () => Promise.reject(new Error('expected no body'));
    await expect(fixture.open().fetch(take, context)).rejects.toThrow('the time is up');
  });

  if (openRefused === undefined) return;
  test('shows no credential in an error', async () => {
    const source = withholdingCredentials(await openRefused());
    const context = () => sourceContext({ consecutiveFailures: 1 });
    const take: TakeBody = () => Promise.reject(new Error('expected no body'));
    const refused = [
      source.fetch(take, context()),
      ...(hasProbe ? [source.probe(KNOWN_ELSEWHERE, context())] : []),
    ];
    for (const error of await Promise.allSettled(refused)) {
      expect(error.status).toBe('rejected');
      expect(inspect(error, { depth: 10 })).not.toContain(CREDENTIAL);
    }
  });
}
