import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TakeBody } from '../source.ts';
import { sourceContext } from '../testing/source-context.ts';
import { FileCalls, FileSource } from './file-source.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-file-'));
  path = join(directory, 'registry.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** The file, as a new run reads it. */
function sourceOf(of = path): FileSource {
  return new FileSource({ path: of, calls: new FileCalls() });
}

/** Writes the file, and sets its times to an hour ago. */
async function writeSettled(text: string): Promise<void> {
  await writeFile(path, text);
  const hourAgoS = Date.now() / 1_000 - 3_600;
  await utimes(path, hourAgoS, hourAgoS);
}

/** Returns what a fetch of a new run reads. */
async function fetch(source = sourceOf(), context = sourceContext()) {
  const bodies: string[] = [];
  const take: TakeBody = async (body) => {
    // The ingest transfers the bytes to a thread, which detaches them here.
    const { buffer } = body;
    if (!(buffer instanceof ArrayBuffer)) throw new Error('expected memory of its own');
    const own = body.byteLength === buffer.byteLength;
    const taken = structuredClone(body, { transfer: own ? [buffer] : [] });
    bodies.push(Buffer.from(taken).toString());
    return { format: 'registry-list', rowCount: 1, nextCursor: undefined };
  };
  const { revision } = await source.fetch(take, context);
  return { bodies, revision: revision ?? '', upstream: context.upstream };
}

describe('FileSource', () => {
  test('returns the whole file, and its revision', async () => {
    await writeSettled('one');
    const { bodies, revision, upstream } = await fetch();
    expect(bodies).toEqual(['one']);
    expect(revision).toMatch(/^3-[\d.]+-[\d.]+:[0-9a-f]{64}$/);
    expect(upstream).toEqual({ requests: 1, bytes: 3 });
  });

  test('does not read an unchanged file', async () => {
    await writeSettled('one');
    const { revision } = await fetch();
    const context = sourceContext();
    expect(await sourceOf().probe(revision, context)).toEqual({ state: 'unchanged' });
    expect(context.upstream).toEqual({ requests: 0, bytes: 0 });
  });

  test('reads a touched file, and recognises its content', async () => {
    await writeSettled('one');
    const { revision } = await fetch();
    await utimes(path, 1, 1);
    const context = sourceContext();
    const probe = await sourceOf().probe(revision, context);
    expect(probe).toEqual({
      state: 'unchanged',
      revision: expect.stringMatching(/^3-1000-/),
    });
    expect(context.upstream.requests).toBe(1);
  });

  test('sees a change of the content, even if the length is the same', async () => {
    await writeSettled('one');
    const { revision } = await fetch();
    await writeSettled('two');
    expect(await sourceOf().probe(revision, sourceContext())).toEqual({
      state: 'changed',
    });
  });

  test('does not rely on the times of a file that was just written', async () => {
    await writeFile(path, 'one');
    const { revision } = await fetch();
    expect(revision).toMatch(/^:[0-9a-f]{64}$/);
    const context = sourceContext();
    const probe = await sourceOf().probe(revision, context);
    expect(probe.state).toBe('unchanged');
    expect(context.upstream.requests).toBe(1);
  });

  test('fetches without reading again what the probe has read', async () => {
    await writeSettled('one');
    const { revision } = await fetch();
    await writeSettled('two, and more');
    const source = sourceOf();
    const context = sourceContext();
    await source.probe(revision, context);
    expect(await fetch(source, context)).toMatchObject({
      bodies: ['two, and more'],
      upstream: { requests: 1 },
    });
  });

  test('hashes a large file in the probe, and reads it again in the fetch', async () => {
    await writeSettled('one');
    const { revision } = await fetch();
    await truncate(path, 65 * 1024 * 1024);
    const source = sourceOf();
    const context = sourceContext();
    expect(await source.probe(revision, context)).toEqual({ state: 'changed' });
    const { bodies } = await fetch(source, context);
    expect(bodies[0]).toHaveLength(65 * 1024 * 1024);
    expect(context.upstream.requests).toBe(2);
  });

  test('can be fetched more than once in a run', async () => {
    // The text is so large that it has its own buffer and not a shared buffer.
    const text = 'x'.repeat(200_000);
    await writeSettled('one');
    const { revision } = await fetch();
    await writeSettled(text);
    const source = sourceOf();
    await source.probe(revision, sourceContext());
    expect((await fetch(source)).bodies).toEqual([text]);
    expect((await fetch(source)).bodies).toEqual([text]);
  });

  test('follows a link, also when it changes to another file', async () => {
    await writeFile(join(directory, 'one.json'), 'one');
    await writeFile(join(directory, 'two.json'), 'two');
    await symlink('one.json', path);
    const { bodies, revision } = await fetch();
    expect(bodies).toEqual(['one']);
    await symlink('two.json', `${path}.new`);
    await rename(`${path}.new`, path);
    expect(await sourceOf().probe(revision, sourceContext())).toEqual({
      state: 'changed',
    });
    expect((await fetch()).bodies).toEqual(['two']);
  });

  test('reports a missing file', async () => {
    const missing = { code: 'source-file-missing', message: expect.stringContaining(path) };
    await expect(fetch()).rejects.toMatchObject(missing);
    await expect(sourceOf().probe('1:2', sourceContext())).rejects.toMatchObject(missing);
    await writeFile(path, '');
    const below = sourceOf(join(path, 'registry.json'));
    await expect(fetch(below)).rejects.toMatchObject({ code: 'source-file-missing' });
  });

  test.each<[what: string, make: () => unknown]>([
    ['directory', () => mkdir(path)],
    // A pipe without a writer.
    ['pipe', () => execFileSync('sh', ['-c', 'mkfifo "$0"', path])],
    ['endless device', () => symlink('/dev/zero', path)],
  ])('rejects a %s', async (_what, make) => {
    await make();
    await expect(fetch()).rejects.toMatchObject({
      code: 'source-file-unreadable',
      message: expect.stringContaining('is not a file'),
    });
  });

  test('stops reading when aborted, with the reason of the abort', async () => {
    await writeSettled('one');
    const context = sourceContext({ signal: AbortSignal.abort(new Error('the time is up')) });
    await expect(fetch(sourceOf(), context)).rejects.toThrow();
  });
});
