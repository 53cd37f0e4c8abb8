import { expect, test } from 'vitest';
import { formatBytes, parseByteSize } from './byte-size.ts';

test.each([
  ['256MiB', 268_435_456],
  ['1GiB', 1_073_741_824],
  ['1.5GB', 1_500_000_000],
  ['64KB', 64_000],
  ['2KiB', 2_048],
])('%s is a size of %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each(['', '256', 'MiB', '-1MB', '1 MB', '1mb', '1TB', '9999999999999GB', '1.2.3MB'])(
  '%j is not a size',
  (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  },
);

test('sizes are formatted with the largest fitting unit', () => {
  expect([12, 1_500, 12_345_678, 2_000_000_000].map(formatBytes)).toEqual([
    '12 B',
    '1.5 KB',
    '12.3 MB',
    '2.0 GB',
  ]);
});
