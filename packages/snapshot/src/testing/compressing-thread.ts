/** A thread that compresses, one small thing after the other, for as long as it lives. */
import { parentPort, workerData } from 'node:worker_threads';
import { type EndLock, respect } from '../encoding/undisturbed.ts';
import { compress } from '../encoding/zstd.ts';

respect(workerData as EndLock);
parentPort?.postMessage('begun');
for (;;) compress('a little');
