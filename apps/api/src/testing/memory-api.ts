import { readFileSync } from 'node:fs';
import {
  type Config,
  type ConfigInput,
  type Control,
  configSchema,
  controlSchema,
  type Preview,
  type RegistryConfig,
  type Run,
  runId,
  SynclineError,
  type SyncStatus,
  statusSchema,
  syncTargets,
} from '@syncline/contract';
import type { PreviewTarget } from '@syncline/redis';
import type { ServedRow } from '@syncline/rows';
import { listen } from '@syncline/runtime';
import { testSnapshot } from '@syncline/snapshot/testing';
import type { Operations } from '@syncline/sync';
import { testPreview } from '@syncline/sync/testing';
import { createApp } from '../app.ts';
import type { ApiDependencies, HttpObservation } from '../dependencies.ts';
import { createLoadLimiter } from '../load/limit-load.ts';
import { rememberRegistries } from '../remembered-registries.ts';
import { testAccess } from './access.ts';

/** The time of Redis's clock in the tests. */
export const NOW = '2026-02-01T12:00:00.000Z';

export const OPENAPI_PATH = new URL('../../openapi.yaml', import.meta.url);

/** Creates a run for tests. */
export function testRun(registry: string, term: string, changes: Partial<Run> = {}): Run {
  return {
    id: runId(registry, term),
    registry,
    term,
    owner: 'test',
    trigger: 'manual',
    outcome: 'unchanged',
    startedAt: NOW,
    finishedAt: NOW,
    durationMs: 0,
    handledRequest: 0,
    upstream: { requests: 1, bytes: 2 },
    ...changes,
  };
}

interface RegistryState {
  status: SyncStatus;
  control: Control;
  /** The runs, newest first. */
  runs: Run[];
  rows: ServedRow[] | undefined;
}

/** The in-memory dependencies of an api. The api shows the data that a test puts here. */
export class MemoryWorld {
  config: Config | undefined;
  /** The config that the next refresh puts in force. */
  nextConfig: Config | undefined;
  readonly states = new Map<string, RegistryState>();
  readonly observed: HttpObservation[] = [];
  readonly logged: { level: string; fields: object; message: string }[] = [];
  readonly stop = new AbortController();
  readonly snapshotsKept = new Set<string>();
  /** The previews that the api has requested from workers. */
  readonly previewsAsked: { target: PreviewTarget; timeoutMs: number }[] = [];
  /** Answers a preview as a worker would. */
  answerPreview: (signal: AbortSignal) => Promise<Preview> = async () => testPreview('official');
  readiness = { ready: true, problems: [] as string[] };
  /** While set, every call to the store throws this error. */
  outage: Error | undefined;

  constructor(config?: ConfigInput) {
    if (config !== undefined) this.config = configSchema.parse(config);
  }

  state(registry: string): RegistryState {
    if (this.outage !== undefined) throw this.outage;
    let state = this.states.get(registry);
    if (state === undefined) {
      state = {
        status: statusSchema.parse({}),
        control: controlSchema.parse({}),
        runs: [],
        rows: undefined,
      };
      this.states.set(registry, state);
    }
    return state;
  }

  setStatus(registry: string, status: Partial<SyncStatus>): void {
    const state = this.state(registry);
    state.status = { ...state.status, ...status };
  }

  /** Ends a run as a worker does: the run handles all open requests. */
  finishRun(registry: string, changes: Partial<Run> = {}): Run {
    const state = this.state(registry);
    const handledRequest = state.control.requested;
    state.control = { ...state.control, handled: handledRequest };
    const term = String(state.runs.length + 1);
    const run = testRun(registry, term, { handledRequest, ...changes });
    state.runs.unshift(run);
    this.#wakeWaiting();
    return run;
  }

  readonly #waiting: (() => void)[] = [];
  /** Returns how many callers are waiting for a run now. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  #wakeWaiting(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  dependencies(overrides: Partial<ApiDependencies> = {}): ApiDependencies {
    const log = (level: string) => (fields: object, message: string) => {
      this.logged.push({ level, fields, message });
    };
    const registries: ApiDependencies['registries'] = {
      readMany: async (names) => ({
        nowMs: Date.parse(NOW),
        registries: new Map(names.map((name) => [name, this.state(name)])),
      }),
    };
    const logger = {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
    };
    return {
      config: {
        current: () => this.config,
        registry: (name) => this.#targets().find((target) => target.name === name),
        targets: () => this.#targets(),
        refresh: async () => {
          this.config = this.nextConfig ?? this.config;
        },
      },
      registries,
      remembered: rememberRegistries(registries, { isConfigured: () => true, freshMs: 0 }),
      snapshots: {
        open: async (registry) => openRows(this.state(registry).rows),
        usage: () => ({ bytes: 0, maxBytes: 0, hits: 0, coldReads: 0 }),
      },
      runs: this.#runLog(),
      operations: async () => this.#operations(),
      requester: this.#requester(),
      previewer: {
        request: (target, { timeoutMs, signal = this.stop.signal }) => {
          this.previewsAsked.push({ target, timeoutMs });
          return this.answerPreview(signal);
        },
      },
      metrics: {
        httpRequest: (observation) => this.observed.push(observation),
        expose: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
      },
      logger,
      loadLimiter: createLoadLimiter({ ...testAccess().arrivals, logger }),
      readiness: async () => this.readiness,
      access: testAccess({ logger }),
      version: '1.2.3',
      openApiDocument: readFileSync(OPENAPI_PATH, 'utf8'),
      stopping: this.stop.signal,
      ...overrides,
    };
  }

  #targets(): RegistryConfig[] {
    return this.config === undefined ? [] : syncTargets(this.config);
  }

  #answerOf(registry: string, request: number): Run | undefined {
    return this.state(registry).runs.findLast((run) => run.handledRequest >= request);
  }

  #runLog(): ApiDependencies['runs'] {
    return {
      list: async (registry, { before, limit }) => {
        const older = this.state(registry).runs.filter(
          ({ term }) => before === undefined || Number(term) < Number(before),
        );
        const runs = older.slice(0, limit);
        const last = runs.at(-1);
        return older.length > limit && last !== undefined ? { runs, next: last.term } : { runs };
      },
      get: async (registry, term) => this.state(registry).runs.find((run) => run.term === term),
    };
  }

  #operations(): Operations {
    const publish = async (registry: string, snapshot: string) => {
      if (!this.snapshotsKept.has(snapshot)) {
        throw new SynclineError('unknown-snapshot', `${registry} has no snapshot ${snapshot}`);
      }
      this.setStatus(registry, { snapshot });
      return { snapshot };
    };
    return {
      suspend: async (registry, options) => {
        const state = this.state(registry);
        const { note: _note, author: _author, ...control } = state.control;
        state.control = { ...control, suspended: true, suspendedAt: NOW, ...options };
      },
      resume: async ({ name, suspended }) => {
        const { requested, handled, force } = this.state(name).control;
        this.state(name).control = { requested, handled, force, suspended: false };
        if (suspended) throw new SynclineError('suspended-by-config', `${name} is suspended`);
      },
      rollback: (registry, { snapshot }) => publish(registry, snapshot),
      approve: (registry, { snapshot }) => publish(registry, snapshot),
    };
  }

  #requester(): ApiDependencies['requester'] {
    return {
      requestSync: async (registry, { force = false } = {}) => {
        const state = this.state(registry);
        if (this.config?.registries.find(({ name }) => name === registry)?.suspended === true) {
          throw new SynclineError('registry-suspended', `${registry} is suspended`);
        }
        if (state.control.suspended || state.control.pinned !== undefined) {
          throw new SynclineError('registry-suspended', `${registry} is suspended or pinned`);
        }
        const joined = state.control.requested > state.control.handled;
        const requested = state.control.requested + 1;
        state.control = { ...state.control, requested, force: state.control.force || force };
        return { request: requested, state: joined ? 'joined' : 'queued' };
      },
      getRequest: async (registry, request) => {
        const { requested, handled } = this.state(registry).control;
        if (request > requested) throw new SynclineError('unknown-request', 'no such request');
        if (request > handled) return { state: 'open' };
        return { state: 'answered', run: this.#answerOf(registry, request) };
      },
      waitForRun: async (registry, request, { timeoutMs, signal }) => {
        const ended = AbortSignal.any([AbortSignal.timeout(timeoutMs), signal ?? this.stop.signal]);
        while (!ended.aborted) {
          const answer = this.#answerOf(registry, request);
          if (answer !== undefined) return answer;
          await new Promise<void>((resolve) => {
            this.#waiting.push(resolve);
            ended.addEventListener('abort', () => resolve(), { once: true });
          });
        }
        signal?.throwIfAborted();
        return undefined;
      },
    };
  }
}

function openRows(rows: ServedRow[] | undefined) {
  return rows === undefined ? undefined : testSnapshot(rows);
}

/** Starts the api on a loopback port. The api is closed when the result goes out of scope. */
export async function serveApi(dependencies: ApiDependencies) {
  const { port, close } = await listen(createApp(dependencies), { host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    [Symbol.asyncDispose]: () => close({ graceMs: 0 }),
  };
}
