import { SynclineError } from '@syncline/contract';
import { expect, test } from 'vitest';
import { withhold, withholdingCredentials } from '../create-source.ts';
import type { Source } from '../source.ts';
import { sourceContext } from '../testing/source-context.ts';

function failing(error: unknown): Source {
  const fail = async (_: unknown, { credentials }: { credentials: Set<string> }) => {
    credentials.add('hunter2');
    throw error;
  };
  return withholdingCredentials({ probe: fail, fetch: fail });
}

async function thrownBy(error: unknown): Promise<unknown[]> {
  const source = failing(error);
  const caught = (found: unknown) => found;
  return [
    await source.probe('', sourceContext()).catch(caught),
    await source
      .fetch(
        async () => ({ format: 'registry-list', rowCount: 0, nextCursor: undefined }),
        sourceContext(),
      )
      .catch(caught),
  ];
}

test('a credential in an error message is withheld, and code and retry policy are kept', async () => {
  const options = { retryAfterMs: 5_000, status: 429 };
  for (const found of await thrownBy(
    new SynclineError('source-rate-limited', 'got hunter2, hunter2', options),
  )) {
    expect(found).toMatchObject({
      code: 'source-rate-limited',
      message: 'got [withheld], [withheld]',
      ...options,
    });
  }
});

test('a cause that contains a credential is removed from the error', async () => {
  const cause = new Error('x', { cause: new Error('Bearer hunter2') });
  for (const found of await thrownBy(new SynclineError('source-not-json', 'no JSON', { cause }))) {
    expect(found).toMatchObject({ code: 'source-not-json', message: 'no JSON' });
    expect((found as Error).cause).toBeUndefined();
  }
});

test('errors without credentials are unchanged', async () => {
  const error = new TypeError('not one of ours');
  expect(await thrownBy(error)).toEqual([error, error]);
  expect(withhold('abc', new Set())).toBe('abc');
});
