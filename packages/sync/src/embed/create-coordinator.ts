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
import type { ProxyOptions } from '@syncline/sources';
import type { ConfigSource } from '../ports/config-source.ts';
import type { RunObserver } from '../ports/run-observer.ts';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import { type CatalogState, type OpenCatalog, openCatalog, rowsOf } from './catalogs.ts';
import { Coordinator } from './coordinator.ts';
import { DataFolder } from './files/data-folder.ts';
import { openFileStores } from './files/file-stores.ts';
import { createFixedConfig } from './fixed-config.ts';
import { type CreateManager, openManager } from './open-manager.ts';
import { StatusCopy } from './status-copy.ts';
import { createTimerTickSource } from './timer-tick-source.ts';

const DEFAULT_STOP_GRACE_MS = 10_000;
/** The part of the grace that interrupted runs have: hung work has 3 s, then its status is written. */
const LONGEST_END_MS = 4_000;

export interface CreateCoordinatorOptions {
  /** The same as in a config file. Relative paths are relative to the current directory. */
  readonly config: ConfigInput;
  /** The folder for snapshots and state. Only one coordinator can use it at a time. */
  readonly dataDir: string;
  /** Gets a copy of each status, for the program to read. A failed write is repeated and delays nothing. */
  readonly status?: StatusPersistence;
  /** Replaces the manager, or makes one of the parts of the default one. */
  readonly manager?: CreateManager;
  /** Default: nothing is logged. A pino logger fits. */
  readonly logger?: Logger;
  readonly observer?: Partial<RunObserver>;
  /** How long {@link EmbeddedCoordinator.stop} takes at most, in milliseconds. Default: 10,000. */
  readonly stopGraceMs?: number;
  /** How many registries are built at the same time. Default: 2. */
  readonly heavyRuns?: number;
  /** Default: none. */
  readonly proxies?: ProxyOptions;
}

/** Syncs the registries of a config in this process, without Redis. */
export class EmbeddedCoordinator {
  /** Reads what is served, for the functions of `@syncline/serving`. */
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
   * Locks the folder, and begins to sync: each registry at once, then at its interval or schedule.
   *
   * @param signal stops the coordinator as {@link stop} does
   * @throws SynclineError `store-unavailable` if another coordinator uses the folder; you may call `start` again
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return this.stop();
    if (this.#stopping !== undefined) {
      throw new SynclineError('store-unavailable', 'The coordinator was stopped. Create a new one');
    }
    this.#starting ??= this.#open().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    await this.#starting;
    if (signal !== undefined) onAbort(signal, () => void this.stop());
  }

  /** Lets runs end for a while, interrupts the others, and unlocks the folder, all within the grace. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(this.#ended.resolve);
    return this.#stopping;
  }

  /** Resolves when the coordinator has stopped. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Returns the status of a registry or a catalog, or of all that the config names. */
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
   * Yields the rows that a registry or a catalog serves, by name and version. Waits for its first sync.
   *
   * @throws SynclineError `unknown-catalog`; `catalog-not-ready` if the first sync fails, or the coordinator stops first
   */
  rows(name: string): AsyncIterable<ServedRow> {
    return rowsOf(this.#state, name);
  }

  /**
   * Opens what a registry or a catalog serves now, with how fresh it is.
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
    const { runStore, snapshots, status, records } = this.#stores;
    this.#folder.lock();
    records.reopen();
    const copy = await this.#copyStatuses(logger);
    const { manager, close } = openManager({
      ...this.#options,
      config: this.#config,
      dataDir: this.#folder.path,
      snapshots,
    });
    const coordinator = new Coordinator({
      manager,
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
   * Begins with all statuses, because the copy may be behind if the last process was killed. A status that cannot be read
   * is skipped here: the next run of its registry reports it.
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
    // Hung work is left behind. Without the lock it cannot write.
    await Promise.race([end(), grace]).finally(() => ended.abort());
    this.#folder.unlock();
    this.#stopped.abort();
  }

  async #nextChange(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      if (this.#starting === undefined) throw new Error('it was not started');
      await once(this.#changes, 'status', { signal });
    } catch (cause) {
      throw new SynclineError('catalog-not-ready', 'The coordinator is not running', { cause });
    }
  }
}

/** Makes a coordinator. It reads and writes nothing until it is started. */
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
