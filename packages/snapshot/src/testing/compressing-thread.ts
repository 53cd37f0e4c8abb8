/** A thread that compresses small texts, one after another, until it is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { encodeBlob, type TerminationLock, useTerminationLock } from '../encoding/chunk.ts';

useTerminationLock(workerData as TerminationLock);
parentPort?.postMessage('begun');
for (;;) encodeBlob('a little');
