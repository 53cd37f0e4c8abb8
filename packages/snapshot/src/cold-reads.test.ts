import { expect, test } from 'vitest';
import { ColdReads } from './cold-reads.ts';

/** Reads that end when the test says so. */
function setUp(maxConcurrent: number) {
  const cold = new ColdReads<string>(maxConcurrent);
  const started: string[] = [];
  const ends = new Map<string, (value: string | Error) => void>();
  const read = (key: string) =>
    cold.read(key, () => {
      started.push(key);
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      ends.set(key, (value) => (value instanceof Error ? reject(value) : resolve(value)));
      return promise;
    });
  return { read, started, end: (key: string, value: string | Error) => ends.get(key)?.(value) };
}

test('concurrent readers of one key share a read, later readers start another', async () => {
  const { read, started, end } = setUp(4);
  const both = [read('a'), read('a')];
  end('a', 'one');
  expect(await Promise.all(both)).toEqual(['one', 'one']);
  const later = read('a');
  end('a', 'two');
  expect(await later).toBe('two');
  expect(started).toEqual(['a', 'a']);
});

test('limits the reads in progress, and starts the others in order', async () => {
  const { read, started, end } = setUp(2);
  const reads = ['a', 'b', 'c', 'd'].map(read);
  expect(started).toEqual(['a', 'b']);
  end('b', 'value');
  await reads[1];
  expect(started).toEqual(['a', 'b', 'c']);
  for (const key of ['a', 'c', 'd']) {
    end(key, 'value');
    await reads['abcd'.indexOf(key)];
  }
  expect(started).toEqual(['a', 'b', 'c', 'd']);
});

test('a failed read frees its place, and every reader gets the error', async () => {
  const { read, started, end } = setUp(1);
  const failing = [read('a'), read('a')];
  const next = read('b');
  end('a', new Error('away'));
  for (const failed of failing) await expect(failed).rejects.toThrow('away');
  expect(started).toEqual(['a', 'b']);
  end('b', 'value');
  expect(await next).toBe('value');
});
