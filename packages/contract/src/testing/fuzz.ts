import { randomBytes } from 'node:crypto';
import fc from 'fast-check';

/** Fuzz tests use this seed unless SYNCLINE_FUZZ_SEED is a number or `random`. */
const DEFAULT_SEED = 20_261_124;
// biome-ignore lint/style/noProcessEnv: only tests import this.
const given = process.env['SYNCLINE_FUZZ_SEED'];

/**
 * Options for `fc.assert(…, FUZZ)`. A failed property prints its seed and the smallest failing value. Add this value to
 * the `examples` of the property, so that every later run tries it.
 */
export const FUZZ = {
  seed: given === 'random' ? randomBytes(4).readInt32LE() : Number(given ?? DEFAULT_SEED),
  numRuns: 300,
} as const;

/** Plain keys, and keys that have caused bugs elsewhere. */
const keys = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'server',
    'servers',
    'name',
    'version',
    'description',
    '_meta',
    'data',
    '',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

/** Any JSON value, with unusual texts and keys. */
export const jsonValues: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, 0, -0, 1e21, ''),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary', maxLength: 20 }),
    // Includes lone surrogates.
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 })
      .map((codes) => String.fromCharCode(...codes)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(keys, tie('value')), { maxLength: 5 })
      .map((entries) => Object.fromEntries(entries)),
  ),
})).value;

/** Rows that are valid except for one or two members. */
export const nearRows: fc.Arbitrary<object> = fc
  .tuple(fc.dictionary(keys, jsonValues, { maxKeys: 2 }), fc.boolean(), jsonValues)
  .map(([changes, isWrapped, _meta]) => {
    const server = { name: 'io.github.acme/x', version: '1.0.0', description: 'x', ...changes };
    return isWrapped ? { server, _meta } : server;
  });

/** Returns the bytes with a few bytes changed, removed or inserted. */
export function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat({ max: Math.max(bytes.length - 1, 0) }),
    remove: fc.nat({ max: 8 }),
    insert: fc.uint8Array({ maxLength: 8 }),
  });
  return fc
    .array(edit, { minLength: 1, maxLength: 4 })
    .map((edits) =>
      edits.reduce<Uint8Array>(
        (before, { at, remove, insert }) =>
          Buffer.concat([before.subarray(0, at), insert, before.subarray(at + remove)]),
        bytes,
      ),
    );
}
