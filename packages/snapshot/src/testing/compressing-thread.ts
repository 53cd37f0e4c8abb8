/** A thread that compresses small texts, one after another, until it is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { type EndLock, encodeBlob, respect } from '../encoding/blob.ts';

respect(workerData as EndLock);
parentPort?.postMessage('begun');
for (;;) encodeBlob('a little');
