import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { BULLMQ_VERSION } from './bullmq-internals.ts';

test('the installed BullMQ is the one whose inside is known: see bullmq-internals.ts on an upgrade', () => {
  const manifest: unknown = createRequire(import.meta.url)('bullmq/package.json');
  expect(manifest).toMatchObject({ version: BULLMQ_VERSION });
});
