/** Compresses small texts in a thread until the thread is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { encodeBlob, type TerminationLock, useTerminationLock } from '../encoding/chunk.ts';

useTerminationLock(workerData as TerminationLock);
parentPort?.postMessage('begun');
for (;;) encodeBlob('a little');
