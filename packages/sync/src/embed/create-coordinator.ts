import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ConfigInput,
  catalogTarget,
  type Logger,
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
import { Catalogs, type OpenCatalog } from './catalogs.ts';
import { Coordinator } from './coordinator.ts';
import { DataFolder } from './files/data-folder.ts';
import { type FileStores, openFileStores } from './files/file-stores.ts';
import { createFixedConfig } from './fixed-config.ts';
import { type CreateManager, openManager } from './open-manager.ts';
import { createStatusCopy } from './status-copy.ts';
import { createTimerTickSource } from './timer-tick-source.ts';

/** How long `stop` takes at most. */
const DEFAULT_STOP_GRACE_MS = 10_000;
/** How much of that remains when runs are interrupted: hung work has 3 s, and then its status is written. */
const LONGEST_END_MS = 4_000;

export interface CreateCoordinatorOptions {
  /** As a config file has it. Relative paths are taken from the current directory. */
  readonly config: ConfigInput;
  /** The folder for snapshots and state. Only one coordinator can have it at a time. */
  readonly dataDir: string;
  /** Gets a copy of each status, for the program to read. A failing write is tried again and holds up nothing. */
  readonly status?: StatusPersistence;
  /** Replaces the manager, or makes one of what the default one is made of. */
  readonly manager?: CreateManager;
  /** Default: nothing is logged. A pino logger fits. */
  readonly logger?: Logger;
  readonly observer?: Partial<RunObserver>;
  /** How long {@link EmbeddedCoordinator.stop} takes at most, in milliseconds. Default: 10,000. */
  readonly stopGraceMs?: number;
  /** How many registries are built at once. Default: 2. */
  readonly heavyRuns?: number;
  /** Default: none. */
  readonly proxies?: ProxyOptions;
}

/** What lasts from the start to the stop. */
interface Running {
  readonly coordinator: Coordinator;
  readonly close: () => Promise<unknown>;
}

/** Syncs the registries of a config in this process, without Redis. */
export class EmbeddedCoordinator {
  /** Reads what is served, for the functions of `@syncline/serving`. */
  readonly reader: SnapshotReader;
  readonly #options: CreateCoordinatorOptions;
  readonly #config: ConfigSource;
  readonly #folder: DataFolder;
  readonly #stores: FileStores;
  readonly #catalogs: Catalogs;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #stopped = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #starting: Promise<Running> | undefined;
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
    this.reader = createSnapshotReader({ store: this.#stores.snapshots });
    this.#catalogs = new Catalogs({
      config: this.#config,
      records: this.#stores.records,
      reader: this.reader,
      clock: systemClock,
      nextChange: () => this.#nextChange(),
    });
  }

  /**
   * Takes the folder, and begins to sync: each registry that is due now, then each at its interval or schedule.
   * Resolves once that has begun.
   *
   * @param signal stops the coordinator as {@link stop} does
   * @throws SynclineError `store-unavailable` if another coordinator has the folder; it may be tried again
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
    signal?.addEventListener('abort', () => void this.stop(), { once: true });
  }

  /** Lets runs end for a while, interrupts the others, and frees the folder, all within its grace. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(this.#ended.resolve);
    return this.#stopping;
  }

  /** Resolves when the coordinator has stopped. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The status of a registry or a catalog, or of all registries and catalogs that the config names. */
  getStatus(): Promise<ReadonlyMap<string, SyncStatus>>;
  getStatus(name: string): Promise<SyncStatus>;
  async getStatus(name?: string): Promise<SyncStatus | ReadonlyMap<string, SyncStatus>> {
    if (name === undefined) {
      const names = this.#config.targets().map((target) => target.name);
      return new Map(
        await Promise.all(names.map(async (it) => [it, await this.#status(it)] as const)),
      );
    }
    const current = this.#config.current();
    const isRegistry = this.#config.registry(name) !== undefined;
    return this.#status(isRegistry || !current ? name : (catalogTarget(current, name) ?? name));
  }

  /**
   * The rows that a registry or a catalog serves, by name and version. Waits for its first sync.
   *
   * @throws SynclineError `unknown-catalog`; `catalog-not-ready` if the first sync fails, or the coordinator stops first
   */
  rows(name: string): AsyncIterable<ServedRow> {
    return this.#catalogs.rows(name);
  }

  /**
   * Opens what a registry or a catalog serves now, with how fresh it is.
   *
   * @throws SynclineError `unknown-catalog`, `catalog-not-ready`
   */
  openCatalog(name: string): Promise<OpenCatalog> {
    return this.#catalogs.open(name);
  }

  async #status(registry: string): Promise<SyncStatus> {
    const stored = await this.#stores.status.load(registry);
    return readStatus(stored ?? PENDING_STATUS, Date.now());
  }

  async #open(): Promise<Running> {
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
    return { coordinator, close: () => Promise.all([copy?.close(), close()]) };
  }

  /** The copy may be behind, or empty: a process that was killed could not write it. */
  async #copyStatuses(logger: Logger) {
    const { status: to } = this.#options;
    if (to === undefined) return undefined;
    const copy = createStatusCopy({ to, logger });
    this.#changes.on('status', copy.update);
    for (const { name } of this.#config.targets()) {
      const status = await this.#stores.status.load(name).catch(() => undefined);
      if (status !== undefined) copy.update(name, status);
    }
    return copy;
  }

  async #stop(): Promise<void> {
    const { stopGraceMs = DEFAULT_STOP_GRACE_MS } = this.#options;
    const ended = new AbortController();
    const end = async () => {
      const running = await this.#starting?.catch(() => undefined);
      await running?.coordinator.stop();
      await running?.close();
    };
    const grace = sleep(stopGraceMs, undefined, { signal: ended.signal }).catch(() => {});
    // What hangs is left to itself: without the lock it cannot write any more.
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

/** Makes a coordinator. Nothing is read or written until it is started. */
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
