import { SynclineError } from '@syncline/contract';
import { FUZZ, jsonValues } from '@syncline/contract/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CursorContent, decodeCursor, encodeCursor } from './cursor.ts';

const texts = fc.string({ unit: 'binary', maxLength: 30 });

describe('a cursor', () => {
  test('from any text is rejected as a bad request, or round-trips', () => {
    const cursors = fc.oneof(
      texts,
      fc.base64String(),
      jsonValues.map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
      fc
        .dictionary(
          fc.constantFrom('n', 'v', 'search', 'version', 'since', 'deleted', 'x'),
          jsonValues,
        )
        .map((wire) => Buffer.from(JSON.stringify(wire)).toString('base64url')),
    );
    fc.assert(
      fc.property(cursors, (cursor) => {
        let content: CursorContent;
        try {
          content = decodeCursor(cursor);
        } catch (error) {
          expect(error).toBeInstanceOf(SynclineError);
          expect(error).toMatchObject({ code: 'bad-request' });
          return;
        }
        expect(decodeCursor(encodeCursor(content))).toEqual(content);
      }),
      { ...FUZZ, examples: [['bnVsbA'], ['e30'], ['AA=='], ['\0']] },
    );
  });

  test('decodes to the encoded content', () => {
    const contents: fc.Arbitrary<CursorContent> = fc.record({
      after: fc.record({ name: texts.filter((name) => name !== ''), version: texts }),
      filters: fc.record({
        search: fc.option(texts, { nil: undefined }),
        version: fc.option(texts, { nil: undefined }),
        updatedSince: fc.option(
          fc
            .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
            .map((date) => date.toISOString()),
          { nil: undefined },
        ),
        includeDeleted: fc.boolean(),
      }),
    });
    fc.assert(
      fc.property(contents, (content) => {
        const cursor = encodeCursor(content);
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(decodeCursor(cursor)).toEqual(content);
      }),
      FUZZ,
    );
  });
});
