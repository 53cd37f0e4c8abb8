/**
 * A worker in which some registries are poison registries, recognized by name: `poisoned-worker.ts <pipe>`. No
 * process writes to the pipe. The threads of this worker have little memory.
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
/** How long the killer waits for another run, so that this run crashes too. */
const LONGEST_WAIT_FOR_COMPANY_MS = 3_000;
const LOOK_EVERY_MS = 20;
const never = new Promise<never>(() => {});
const underWay = new Set<string>();

/** Ends this process as a native crash would, as soon as the run of `long` has started. */
async function killProcess(): Promise<never> {
  const untilMs = performance.now() + LONGEST_WAIT_FOR_COMPANY_MS;
  while (!underWay.has('long') && performance.now() < untilMs) await sleep(LOOK_EVERY_MS);
  process.kill(process.pid, 'SIGKILL');
  return never;
}

function poisonManager(manager: Manager): Manager {
  return {
    async shouldSync(context) {
      // Opening a pipe for reading blocks a thread of the process, as a dead file system does.
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
    writeChunks: (lease, chunks, limits) =>
      lease.registry === 'hung-store' ? never : snapshots.writeChunks(lease, chunks, limits),
  };
}

const decorate: WorkerDecorator = {
  stores: (stores) => ({ ...stores, snapshots: poisonSnapshots(stores.snapshots) }),
  manager: poisonManager,
};
await runProcess('worker', (context) =>
  startWorker(context, { decorate, threadHeapMb: THREAD_HEAP_MB }),
);
