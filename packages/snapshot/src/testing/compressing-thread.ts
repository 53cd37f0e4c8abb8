/** A thread that compresses small texts until it is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { type TerminationLock, useTerminationLock } from '../encoding/termination-lock.ts';
import { compress } from '../encoding/zstd.ts';

useTerminationLock(workerData as TerminationLock);
parentPort?.postMessage('begun');
for (;;) compress('a little');
