import type { StatusChanges } from '@syncline/contract';
import { beforeEach, describe, expect, test } from 'vitest';
import type { StatusPersistence } from '../ports/status-persistence.ts';

/** A status with every field. */
const FULL = {
  phase: 'Failed',
  term: '1770000000000001',
  owner: 'alice',
  leaseUntil: 1_770_000_012_000,
  startsWithoutFinish: 1,
  reason: 'source-data-changed',
  message: 'a text with "quotes", ünïcode and\na line break',
  errorCode: 'source-timeout',
  lastAttemptAt: '2026-02-01T12:00:00.000Z',
  lastSyncAt: '2026-02-01T12:00:01.000Z',
  lastSuccessAt: '2026-02-01T12:00:02.000Z',
  lastChangeAt: '2026-02-01T12:00:03.000Z',
  nextDueAt: '2026-02-01T12:00:04.000Z',
  consecutiveFailures: 2,
  snapshot: 'a'.repeat(64),
  revision: '123-456-789:abc',
  serverCount: 3,
  versionCount: 4,
  skillCount: 5,
  pluginCount: 6,
  quarantinedCount: 7,
  sourceHash: '0123456789abcdef',
  filterHash: 'fedcba9876543210',
  durationMs: 8,
  held: {
    snapshot: 'b'.repeat(64),
    since: '2026-02-01T12:00:05.000Z',
    reason: 'shrink',
    rowCountBefore: 100,
    rowCountAfter: 10,
  },
} as const satisfies StatusChanges;
const FULL_TOKEN = `${FULL.term}:alice`;

/**
 * Tests the contract of {@link StatusPersistence}.
 *
 * @param create returns an empty store for the named registries
 */
export function describeStatusPersistence(
  name: string,
  create: (options: { registries: readonly string[] }) => Promise<StatusPersistence>,
): void {
  describe(`${name} fulfils the contract of StatusPersistence`, () => {
    let status: StatusPersistence;
    beforeEach(async () => {
      status = await create({ registries: ['alpha', 'beta', 'gamma'] });
    });

    test('a registry that never ran has no status', async () => {
      expect(await status.load('alpha')).toBeUndefined();
      expect(await status.list()).toEqual(new Map());
    });

    test('a saved status is loaded with every field', async () => {
      expect(await status.save('alpha', FULL, { expected: undefined })).toBe(true);
      expect(await status.load('alpha')).toEqual(FULL);
      expect(await status.load('beta')).toBeUndefined();
    });

    test('a save keeps the fields that it does not name, and undefined removes a field', async () => {
      await status.save('alpha', FULL, { expected: undefined });
      const changes = { message: undefined, held: undefined, nextDueAt: undefined, durationMs: 9 };
      expect(await status.save('alpha', changes, { expected: FULL_TOKEN })).toBe(true);
      const { message: _message, held: _held, nextDueAt: _due, ...rest } = FULL;
      expect(await status.load('alpha')).toEqual({ ...rest, durationMs: 9 });
    });

    test.each<[why: string, expected: string | undefined]>([
      ['another term', '1770000000000002:alice'],
      ['another owner', '1770000000000001:bob'],
      ['no owner', '1770000000000001:'],
      ['no token at all', undefined],
    ])('a save that expects %s is refused and changes nothing', async (_why, expected) => {
      await status.save('alpha', FULL, { expected: undefined });
      expect(await status.save('alpha', { message: 'mine' }, { expected })).toBe(false);
      expect(await status.load('alpha')).toEqual(FULL);
    });

    test('a save that expects a token is refused if there is no status', async () => {
      expect(await status.save('alpha', FULL, { expected: FULL_TOKEN })).toBe(false);
      expect(await status.load('alpha')).toBeUndefined();
    });

    test('the token of an ended run is its term without an owner', async () => {
      await status.save('alpha', FULL, { expected: undefined });
      await status.save('alpha', { owner: undefined }, { expected: FULL_TOKEN });
      const expected = `${FULL.term}:`;
      expect(await status.save('alpha', { owner: 'bob' }, { expected: FULL_TOKEN })).toBe(false);
      expect(await status.save('alpha', { owner: 'bob' }, { expected })).toBe(true);
    });

    test('only one of several concurrent saves that expect the same token succeeds', async () => {
      await status.save('alpha', FULL, { expected: undefined });
      const owners = ['bob', 'carol', 'dave'];
      const saved = await Promise.all(
        owners.map((owner) => status.save('alpha', { owner }, { expected: FULL_TOKEN })),
      );
      expect(saved.filter(Boolean)).toHaveLength(1);
      expect((await status.load('alpha'))?.owner).toBe(owners[saved.indexOf(true)]);
    });

    test('the list contains every registry that has a status', async () => {
      await Promise.all([
        status.save('alpha', FULL, { expected: undefined }),
        status.save('gamma', { ...FULL, phase: 'Complete' }, { expected: undefined }),
      ]);
      const listed = await status.list();
      expect([...listed.keys()].sort()).toEqual(['alpha', 'gamma']);
      expect(listed.get('gamma')?.phase).toBe('Complete');
    });
  });
}
