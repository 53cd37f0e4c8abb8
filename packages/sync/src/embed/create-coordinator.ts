import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ConfigInput,
  catalogTarget,
  type Logger,
  onAbort,
  PENDING_STATUS,
  readStatus,
  SynclineError,
  type SyncStatus,
  systemClock,
} from '@syncline/contract';
import type { ServedRow } from '@syncline/rows';
import { createSnapshotReader, type SnapshotReader } from '@syncline/snapshot';
import { MemoryBudget, type ProxyOptions } from '@syncline/sources';
import { z } from 'zod';
import type { ConfigSource } from '../ports/config-source.ts';
import type { RunObserver } from '../ports/run-observer.ts';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import { type CatalogState, type OpenCatalog, openCatalog, rowsOf } from './catalogs.ts';
import { Coordinator } from './coordinator.ts';
import { DataFolder } from './files/data-folder.ts';
import { openFileStores } from './files/file-stores.ts';
import { createFixedConfig, rejected } from './fixed-config.ts';
import { type CreateManager, openManager } from './open-manager.ts';
import { StatusCopy } from './status-copy.ts';
import { createTimerTickSource } from './timer-tick-source.ts';

const DEFAULT_STOP_GRACE_MS = 10_000;
/** The part of the grace time for interrupted runs: hung work gets 3 s, then the coordinator writes the status. */
const LONGEST_END_MS = 4_000;

export interface CreateCoordinatorOptions {
  /** The content of a config file. Relative paths start at the current directory. */
  readonly config: ConfigInput;
  /** The folder for snapshots and state. Only one coordinator can use it at a time. */
  readonly dataDir: string;
  /** Receives a copy of each status. The coordinator repeats a failed write, but never waits for a write. */
  readonly status?: StatusPersistence;
  /** Replaces the manager, or creates a manager from the parts of the default one. */
  readonly manager?: CreateManager;
  /** A logger such as pino. By default, the coordinator logs nothing. */
  readonly logger?: Logger;
  readonly observer?: Partial<RunObserver>;
  /** How many milliseconds {@link EmbeddedCoordinator.stop} takes at most. Default: 10,000. */
  readonly stopGraceMs?: number;
  /** How many registries the coordinator builds at once. Default: 2. */
  readonly heavyRuns?: number;
  /** The memory in bytes that all runs together may use. Default: 512 MiB. */
  readonly memoryBytes?: number;
  /** Default: no proxies. */
  readonly proxies?: ProxyOptions;
}

const DEFAULT_MEMORY_BYTES = 512 * 1024 * 1024;
const LEAST_MEMORY_BYTES = 96 * 1024 * 1024;

/** The options whose wrong values would otherwise show late, or as an error of Node that names no option. */
const optionsSchema = z.object({
  dataDir: z
    .string({ error: 'use the path of a folder' })
    .min(1, { error: 'use the path of a folder' }),
  stopGraceMs: z
    .int({ error: 'use a whole number of milliseconds' })
    .min(0, { error: 'use 0 or more' })
    .optional(),
  memoryBytes: z
    .int({ error: 'use a whole number of bytes' })
    .min(LEAST_MEMORY_BYTES, { error: `use ${LEAST_MEMORY_BYTES} or more` })
    .optional(),
  heavyRuns: z.int({ error: 'use a whole number' }).min(1, { error: 'use 1 or more' }).optional(),
});

/** @throws SynclineError `config-invalid` */
function checkOptions(options: CreateCoordinatorOptions): void {
  const { error } = optionsSchema.safeParse(options);
  if (error !== undefined) throw rejected('Options', error.issues);
}

/** Syncs the registries of a config in this process, without Redis. */
export class EmbeddedCoordinator {
  /** Reads the served snapshots, for the functions of `@syncline/serving`. */
  readonly reader: SnapshotReader;
  readonly #options: CreateCoordinatorOptions;
  readonly #config: ConfigSource;
  readonly #folder: DataFolder;
  readonly #stores: ReturnType<typeof openFileStores>;
  readonly #state: CatalogState;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #stopped = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #starting: Promise<{ stop: () => Promise<unknown> }> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: CreateCoordinatorOptions) {
    this.#options = options;
    checkOptions(options);
    this.#config = createFixedConfig(options.config);
    this.#folder = new DataFolder(options.dataDir);
    this.#stores = openFileStores({
      folder: this.#folder,
      clock: systemClock,
      onStatus: (registry, status) => this.#changes.emit('status', registry, status),
    });
    const { records, snapshots } = this.#stores;
    this.reader = createSnapshotReader({ store: snapshots });
    const { reader } = this;
    const nextChange = () => this.#nextChange();
    this.#state = { config: this.#config, records, reader, nextChange };
  }

  /**
   * Locks the folder, and starts to sync: each registry at once, then at its interval or schedule.
   *
   * @param signal stops the coordinator like {@link stop}
   * @throws SynclineError `store-unavailable` if another coordinator uses the folder; you may call `start` again
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return this.stop();
    if (this.#stopping !== undefined) {
      throw new SynclineError(
        'store-unavailable',
        'the coordinator was stopped. Create a new coordinator',
      );
    }
    this.#starting ??= this.#open().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    await this.#starting;
    if (signal !== undefined) onAbort(signal, () => void this.stop());
  }

  /** Waits for runs, interrupts the rest, and unlocks the folder, all within the grace time. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(this.#ended.resolve);
    return this.#stopping;
  }

  /** Resolves when the coordinator has stopped. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Returns the status of a registry or a catalog, or of all registries and catalogs in the config. */
  getStatus(): Promise<ReadonlyMap<string, SyncStatus>>;
  getStatus(name: string): Promise<SyncStatus>;
  async getStatus(name?: string): Promise<SyncStatus | ReadonlyMap<string, SyncStatus>> {
    if (name === undefined) {
      const names = this.#config.targets().map((target) => target.name);
      return new Map(
        await Promise.all(names.map(async (it) => [it, await this.#status(it)] as const)),
      );
    }
    const config = this.#config.current();
    if (config === undefined || this.#config.registry(name) !== undefined)
      return this.#status(name);
    return this.#status(catalogTarget(config, name) ?? name);
  }

  /**
   * Yields the rows that a registry or a catalog serves, by name and version. Waits for the first sync.
   *
   * @throws SynclineError `unknown-catalog`; `catalog-not-ready` if the first sync fails, or the coordinator stops
   *   first
   */
  rows(name: string): AsyncIterable<ServedRow> {
    return rowsOf(this.#state, name);
  }

  /**
   * Opens the current snapshot of a registry or a catalog, with its freshness.
   *
   * @throws SynclineError `unknown-catalog`, `catalog-not-ready`
   */
  openCatalog(name: string): Promise<OpenCatalog> {
    return openCatalog(this.#state, name);
  }

  async #status(registry: string): Promise<SyncStatus> {
    const stored = await this.#stores.status.load(registry);
    return readStatus(stored ?? PENDING_STATUS, Date.now());
  }

  async #open() {
    const { logger = SILENT, observer, stopGraceMs = DEFAULT_STOP_GRACE_MS } = this.#options;
    const { memoryBytes: totalBytes = DEFAULT_MEMORY_BYTES } = this.#options;
    const memory = new MemoryBudget({ totalBytes });
    const { runStore, snapshots, status, records } = this.#stores;
    this.#folder.lock();
    records.reopen();
    const copy = await this.#copyStatuses(logger);
    const { manager, close } = openManager({
      ...this.#options,
      config: this.#config,
      dataDir: this.#folder.path,
      snapshots,
      memory,
    });
    const coordinator = new Coordinator({
      manager,
      memory,
      runStore,
      status,
      config: this.#config,
      tickSource: createTimerTickSource({ config: this.#config, logger }),
      logger,
      observer: { ...UNOBSERVED, ...observer },
      owner: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
      stopGraceMs: stopGraceMs - Math.min(LONGEST_END_MS, stopGraceMs / 2),
    });
    await coordinator.start();
    return {
      stop: async () => {
        await coordinator.stop();
        await Promise.all([copy?.close(), close()]);
      },
    };
  }

  /**
   * Starts with all statuses, because the copy may be outdated if the last process was killed. Skips an unreadable
   * status, because the next run of its registry reports it.
   */
  async #copyStatuses(logger: Logger): Promise<StatusCopy | undefined> {
    const { status: to } = this.#options;
    if (to === undefined) return undefined;
    const copy = new StatusCopy({ to, logger });
    this.#changes.on('status', copy.update.bind(copy));
    for (const { name } of this.#config.targets()) {
      const status = await this.#stores.status.load(name).catch(() => undefined);
      if (status !== undefined) copy.update(name, status);
    }
    return copy;
  }

  async #stop(): Promise<void> {
    const { stopGraceMs = DEFAULT_STOP_GRACE_MS } = this.#options;
    const ended = new AbortController();
    const end = async () => (await this.#starting?.catch(() => undefined))?.stop();
    const grace = sleep(stopGraceMs, undefined, { signal: ended.signal }).catch(() => {});
    // `stop` leaves hung work behind. Without the lock, that work cannot write.
    await Promise.race([end(), grace]).finally(() => ended.abort());
    this.#folder.unlock();
    this.#stopped.abort();
  }

  async #nextChange(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      if (this.#starting === undefined) throw new Error('start() was not called');
      await once(this.#changes, 'status', { signal });
    } catch (cause) {
      throw new SynclineError(
        'catalog-not-ready',
        'the coordinator is not running. Call start() first',
        { cause },
      );
    }
  }
}

/** Creates a coordinator, which reads and writes nothing before `start`. */
export function createCoordinator(options: CreateCoordinatorOptions): EmbeddedCoordinator {
  return new EmbeddedCoordinator(options);
}

const ignore = () => {};
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const UNOBSERVED: RunObserver = {
  runFinished: ignore,
  tickNoOp: ignore,
  phaseFinished: ignore,
  overlapSkipped: ignore,
  tickLate: ignore,
  fencedWriteRefused: ignore,
  renewalFailed: ignore,
};
