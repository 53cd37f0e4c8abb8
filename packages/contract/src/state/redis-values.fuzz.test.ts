/** What anyone may write into Redis: payloads of jobs, and the fields of hashes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorCodeSchema } from '../errors/error-table.ts';
import { jobPayloadSchema } from '../queue/job.ts';
import { reasonSchema, triggerSchema } from './reasons.ts';
import {
  controlSchema,
  parseHash,
  phaseSchema,
  readStatus,
  type StatusChanges,
  statusFields,
  statusSchema,
} from './status.ts';

/** The same values each time, unless SYNCLINE_FUZZ_SEED is a number. A failure prints its seed. */
const FUZZ = { seed: Number(process.env['SYNCLINE_FUZZ_SEED'] ?? 20_261_124), numRuns: 300 };

const texts = fc.string({ unit: 'binary', maxLength: 20 });
const numbers = fc.oneof(
  fc.constantFrom('', '-1', '0', '1e400', 'nan', 'inf', '0x10', ' 7', '9'.repeat(30)),
  fc.integer().map(String),
  texts,
);

describe('a payload', () => {
  test('of any shape is accepted or rejected without an exception', () => {
    const members = {
      v: fc.oneof(fc.constant(1), fc.anything()),
      registry: fc.oneof(fc.constant('alpha'), fc.anything()),
      trigger: fc.oneof(fc.constantFrom(...triggerSchema.options), fc.anything()),
      force: fc.oneof(fc.boolean(), fc.anything()),
      request: fc.oneof(fc.integer(), fc.anything()),
    };
    const payloads = fc.oneof(
      fc.anything(),
      fc.jsonValue(),
      fc.record(members, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(payloads, (payload) => {
        const parsed = jobPayloadSchema.safeParse(payload);
        if (!parsed.success) return;
        expect(parsed.data).toMatchObject({ v: 1, registry: expect.any(String) });
        expect(jobPayloadSchema.parse(parsed.data)).toEqual(parsed.data);
      }),
      { ...FUZZ, examples: [[undefined], [null], [JSON.parse('{"__proto__":{"v":1}}')]] },
    );
  });
});

describe('a status hash', () => {
  test('with any fields is read as a status, and the invalid fields are listed', () => {
    const names = fc.oneof(fc.constantFrom(...Object.keys(statusSchema.shape)), texts);
    fc.assert(
      fc.property(fc.dictionary(names, numbers), fc.nat(), (fields, nowMs) => {
        const { value, invalid } = parseHash(statusSchema, fields);
        expect(readStatus(value, nowMs).phase).toEqual(expect.any(String));
        for (const name of invalid) expect(fields).toHaveProperty([name]);
        // Without the invalid fields, the hash is valid.
        const { set } = statusFields(value);
        expect(parseHash(statusSchema, set)).toEqual({ value, invalid: [] });
      }),
      {
        ...FUZZ,
        examples: [
          [{ held: '{' }, 0],
          [{ held: 'null' }, 0],
          [{ term: '', leaseUntil: 'x' }, 0],
        ],
      },
    );
  });

  test('is read as it was written', () => {
    const time = fc
      .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
    const statuses = fc.record(
      {
        phase: fc.constantFrom(...phaseSchema.options),
        reason: fc.constantFrom(...reasonSchema.options),
        errorCode: fc.constantFrom(...errorCodeSchema.options),
        message: texts,
        lastSyncAt: time,
        consecutiveFailures: fc.nat(),
        serverCount: fc.nat(),
        held: fc.record({
          snapshot: texts,
          since: time,
          reason: fc.constantFrom('shrink' as const, 'empty' as const),
          rowCountBefore: fc.nat(),
          rowCountAfter: fc.nat(),
        }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(statuses, (status: StatusChanges) => {
        const { value, invalid } = parseHash(statusSchema, statusFields(status).set);
        expect(invalid).toEqual([]);
        expect(value).toMatchObject(status);
      }),
      FUZZ,
    );
  });
});

test('a control hash with any fields is read, and the invalid fields are listed', () => {
  const names = fc.oneof(fc.constantFrom(...Object.keys(controlSchema.shape)), texts);
  fc.assert(
    fc.property(fc.dictionary(names, numbers), (fields) => {
      const { value, invalid } = parseHash(controlSchema, fields);
      expect(value.requested).toBeGreaterThanOrEqual(0);
      expect(Object.keys(fields)).toEqual(expect.arrayContaining(invalid));
    }),
    FUZZ,
  );
});
