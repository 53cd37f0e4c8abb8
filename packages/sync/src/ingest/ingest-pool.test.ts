import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { testBudget } from '../testing/test-budget.ts';
import { IngestPool, type OpenOptions } from './ingest-pool.ts';
import { OutOfOrder } from './messages.ts';

const NOW_MS = Date.parse('2026-02-01T12:00:00Z');
const pool = new IngestPool({ heavyRuns: 2, memory: testBudget() });
afterAll(() => pool.close());

function open(options: Partial<OpenOptions> & { from?: IngestPool } = {}) {
  const { from = pool, ...rest } = options;
  const session = from.open({
    order: 'arrival',
    previous: undefined,
    signal: new AbortController().signal,
    memory: from.memory.open('test'),
    ...rest,
  });
  onTestFinished(() => session[Symbol.dispose]());
  return session;
}

function body(names: readonly string[], more: object = {}): Uint8Array {
  const servers = names.map((name) => ({ name, version: '1', description: 'x' }));
  return Buffer.from(JSON.stringify({ servers, ...more }));
}

function names(count: number, prefix = 's'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(6, '0')}`);
}

const noChunks = async () => [];

describe('IngestPool', () => {
  test('takes bodies one by one, and builds a snapshot from them', async () => {
    const session = open();
    const metadata = { nextCursor: 'go on' };
    expect(await session.add(body(['a', 'b'], { metadata }))).toEqual({
      format: 'registry-list',
      rowCount: 2,
      nextCursor: 'go on',
    });
    await session.add(body(['c']));
    expect(await session.build({ nowMs: NOW_MS, readChunks: noChunks })).toMatchObject({
      readCount: 3,
      manifest: { rowCount: 3, newestMs: NOW_MS },
      diff: { added: 3 },
      quarantined: { count: 0 },
    });
  });

  test('reads a YAML body, and gives its name in an error', async () => {
    const session = open();
    const yaml = Buffer.from('name: a\nversion: "1"\ndescription: x\n');
    expect(await session.add(yaml, { name: 'a.yaml', syntax: 'yaml' })).toMatchObject({
      format: 'single-server',
    });
    await expect(
      session.add(Buffer.from('a: ['), { name: 'b.yaml', syntax: 'yaml' }),
    ).rejects.toThrow(/^b\.yaml: the source returned YAML that is invalid/);
  });

  test('builds on the served snapshot, and reads only the chunks that it needs', async () => {
    const first = open();
    await first.add(body(names(300)));
    const before = await first.build({ nowMs: NOW_MS, readChunks: noChunks });
    const stored = new Map(before.newChunks.map((chunk) => [chunk.digest, chunk]));
    const second = open({ previous: before.manifestBlob });
    await second.add(body(names(301).slice(1)));
    const asked: string[] = [];
    const built = await second.build({
      nowMs: NOW_MS + 1,
      readChunks: async (digests) => {
        asked.push(...digests);
        return digests.map((digest) => stored.get(digest) ?? { digest, bytes: Buffer.alloc(0) });
      },
    });
    expect(built.diff).toMatchObject({ added: 1, removed: 1, updated: 0 });
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThan(stored.size);
  });

  test.each([
    ['not a registry', '{"error":1}', 'source-not-a-registry'],
    ['not JSON', '<html>', 'source-not-json'],
  ])('a body that is %s fails only its own session', async (_what, text, code) => {
    const other = open();
    await expect(open().add(Buffer.from(text))).rejects.toMatchObject({ code });
    await other.add(body(['a']));
    expect(await other.build({ nowMs: NOW_MS, readChunks: noChunks })).toMatchObject({
      diff: { added: 1 },
    });
  });

  test('rows that come too late to be sorted reject with OutOfOrder', async () => {
    const session = open();
    await session.add(body(names(1_000, 'b')));
    const late = (async () => {
      await session.add(body(['a']));
      await session.build({ nowMs: NOW_MS, readChunks: noChunks });
    })();
    await expect(late).rejects.toBeInstanceOf(OutOfOrder);
    const again = open({ order: 'buffered' });
    await again.add(body(names(1_000, 'b')));
    await again.add(body(['a']));
    expect(await again.build({ nowMs: NOW_MS, readChunks: noChunks })).toMatchObject({
      manifest: { rowCount: 1_001 },
    });
  });

  test('a corrupt manifest fails the session', async () => {
    const session = open({ previous: { digest: 'a'.repeat(64), bytes: Buffer.from('x') } });
    await expect(session.add(body(['a']))).rejects.toMatchObject({ code: 'snapshot-corrupt' });
  });

  test('chunks that cannot be read fail the session', async () => {
    const first = open();
    await first.add(body(['a']));
    const { manifestBlob } = await first.build({ nowMs: NOW_MS, readChunks: noChunks });
    const second = open({ previous: manifestBlob });
    await second.add(body(['b']));
    const build = second.build({
      nowMs: NOW_MS,
      readChunks: () => Promise.reject(new Error('the store is away')),
    });
    await expect(build).rejects.toThrow('the store is away');
  });

  test('an abort stops the work, even in the middle of a computation', async () => {
    const abort = new AbortController();
    const session = open({ signal: abort.signal });
    await session.add(body(['a']));
    // Parsing this body takes several seconds, unless it is aborted.
    const adding = session.add(body(names(400_000)));
    abort.abort(new Error('the time is up'));
    const startMs = performance.now();
    await expect(adding).rejects.toThrow('the time is up');
    expect(performance.now() - startMs).toBeLessThan(1_000);
    const next = open();
    await next.add(body(['a']));
    expect(await next.build({ nowMs: NOW_MS, readChunks: noChunks })).toMatchObject({
      diff: { added: 1 },
    });
  });

  test('a session that needs too much processor time fails, and other sessions continue', async () => {
    const strict = new IngestPool({ heavyRuns: 2, memory: testBudget(), stepCpuMs: 200 });
    onTestFinished(() => strict.close());
    const other = open({ from: strict });
    await other.add(body(['a']));
    await expect(open({ from: strict }).add(body(names(200_000)))).rejects.toMatchObject({
      code: 'run-cpu-exceeded',
    });
    expect(await other.build({ nowMs: NOW_MS, readChunks: noChunks })).toMatchObject({
      diff: { added: 1 },
    });
  });

  test('a session reserves memory for its thread and its rows, and releases it', async () => {
    const memory = testBudget();
    const counted = new IngestPool({ heavyRuns: 1, memory });
    onTestFinished(() => counted.close());
    const session = open({ from: counted, order: 'buffered' });
    const page = body(names(1_000));
    await session.add(page, {});
    expect(memory.reserved.ingest).toBeGreaterThan(page.length);
    session[Symbol.dispose]();
    expect(memory.reserved.ingest).toBe(0);
  });

  test('a session that needs too much memory fails, and other sessions continue', async () => {
    const small = new IngestPool({
      heavyRuns: 3,
      memory: testBudget(),
      threadHeapMb: 24,
    });
    onTestFinished(() => small.close());
    const other = open({ from: small });
    await other.add(body(['a']));
    const greedy = open({ from: small, order: 'buffered' });
    const filling = (async () => {
      for (let page = 0; page < 400; page += 1) await greedy.add(body(names(1_000, `${page}-`)));
    })();
    await expect(filling).rejects.toMatchObject({ code: 'run-out-of-memory' });
    expect(await other.build({ nowMs: NOW_MS, readChunks: noChunks })).toMatchObject({
      diff: { added: 1 },
    });
    const next = open({ from: small });
    await next.add(body(['a']));
    expect(await next.build({ nowMs: NOW_MS, readChunks: noChunks })).toMatchObject({
      diff: { added: 1 },
    });
  });
});
