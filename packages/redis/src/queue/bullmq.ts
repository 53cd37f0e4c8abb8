import { createRequire } from 'node:module';

type BullMq = typeof import('bullmq');

const require = createRequire(import.meta.url);

// One by one: the package as a whole also loads its flows, its sandbox and much else, which takes each start 70 ms.
export const { Queue }: Pick<BullMq, 'Queue'> = require('bullmq/dist/cjs/classes/queue');
export const { Worker }: Pick<BullMq, 'Worker'> = require('bullmq/dist/cjs/classes/worker');
export const {
  UnrecoverableError,
  WaitingError,
}: Pick<BullMq, 'UnrecoverableError' | 'WaitingError'> = require('bullmq/dist/cjs/classes/errors');
