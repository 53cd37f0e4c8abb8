import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { BULLMQ_VERSION } from './bullmq-internals.ts';

test('the installed BullMQ has the version that bullmq-internals.ts knows: review that file on an upgrade', () => {
  const manifest: unknown = createRequire(import.meta.url)('bullmq/package.json');
  expect(manifest).toMatchObject({ version: BULLMQ_VERSION });
});
