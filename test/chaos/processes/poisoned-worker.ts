/**
 * A worker with some poison registries, each by its name: `poisoned-worker.ts <pipe>`. Nobody writes to the pipe. Its
 * threads have little memory.
 */
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProcess } from '@syncline/runtime';
import type { SnapshotStore } from '@syncline/snapshot';
import type { Manager } from '@syncline/sync';
import { startWorker, type WorkerDecorator } from '@syncline/worker';
import { z } from 'zod';

const [pipe] = z.tuple([z.string()]).parse(process.argv.slice(2));

const THREAD_HEAP_MB = 32;
/** It waits for another run, so that it does not die alone. */
const LONGEST_WAIT_FOR_COMPANY_MS = 3_000;
const LOOK_EVERY_MS = 20;
const never = new Promise<never>(() => {});
const underWay = new Set<string>();

/** Ends this process as a native crash does, as soon as `long` runs too. */
async function killProcess(): Promise<never> {
  const untilMs = performance.now() + LONGEST_WAIT_FOR_COMPANY_MS;
  while (!underWay.has('long') && performance.now() < untilMs) await sleep(LOOK_EVERY_MS);
  process.kill(process.pid, 'SIGKILL');
  return never;
}

function poisonManager(manager: Manager): Manager {
  return {
    async shouldSync(context) {
      // An open call for reading blocks a thread of the process, as a file system that is gone does.
      if (context.registry.name === 'hung-call') await open(pipe, 'r');
      return manager.shouldSync(context);
    },
    async performSync(context, decision) {
      const { name } = context.registry;
      if (name === 'killer') return killProcess();
      if (name === 'hung-promise') return never;
      underWay.add(name);
      try {
        return await manager.performSync(context, decision);
      } finally {
        underWay.delete(name);
      }
    },
  };
}

function poisonSnapshots(snapshots: SnapshotStore): SnapshotStore {
  return {
    ...snapshots,
    writeChunks: (lease, chunks) =>
      lease.registry === 'hung-store' ? never : snapshots.writeChunks(lease, chunks),
  };
}

const decorate: WorkerDecorator = {
  stores: (stores) => ({ ...stores, snapshots: poisonSnapshots(stores.snapshots) }),
  manager: poisonManager,
};
await runProcess('worker', (context) =>
  startWorker(context, { decorate, threadHeapMb: THREAD_HEAP_MB }),
);
