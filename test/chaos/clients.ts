import { phaseSchema } from '@syncline/contract';
import { z } from 'zod';
import { type HistoryRecorder, machineMs } from './history/recorder.ts';

export interface ClientOptions {
  readonly recorder: HistoryRecorder;
  /** The apis to send requests to. Some of them may be unavailable. */
  readonly apis: readonly string[];
  /** The admin token of the apis. */
  readonly token: string;
  readonly registries: readonly string[];
  readonly random: () => number;
  /** The number of rows in each snapshot. */
  readonly rowCount: number;
}

const TIMEOUT_MS = 5_000;
const PAGE_SIZE = 40;

const requestedSchema = z.looseObject({ request: z.int() });
const registrySchema = z.looseObject({
  status: z.looseObject({ phase: phaseSchema }),
  snapshot: z.string().nullable(),
  control: z.looseObject({ requested: z.int(), handled: z.int() }),
});
const pageSchema = z.looseObject({
  servers: z.array(z.looseObject({ server: z.looseObject({ description: z.string() }) })),
  metadata: z.looseObject({ nextCursor: z.string().optional() }),
});

/** Clients that use the system during faults. They do not record failed requests, because they repeat them. */
export class Clients {
  readonly #options: ClientOptions;
  readonly #unasked: string[];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#unasked = [...options.registries];
  }

  /** Requests a sync of the next registry that this client has not requested yet, if there is one. */
  async requestNext(): Promise<void> {
    const registry = this.#unasked.shift();
    if (registry !== undefined) await this.request(registry);
  }

  /** Requests a sync, and records the request only if the api acknowledged it. */
  async request(registry = this.#pick(this.#options.registries)): Promise<void> {
    const calledAtMs = machineMs();
    const answer = await this.#ask(`/v1/registries/${registry}/sync`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ force: this.#options.random() < 0.2 }),
    });
    if (answer?.status !== 202) return;
    const { request } = requestedSchema.parse(answer.body);
    this.#options.recorder.record({
      kind: 'request-acknowledged',
      registry,
      request,
      calledAtMs,
    });
  }

  /** Reads the status of a registry. */
  async poll(): Promise<void> {
    const registry = this.#pick(this.#options.registries);
    const calledAtMs = machineMs();
    const answer = await this.#ask(`/v1/registries/${registry}`);
    if (answer === undefined || (answer.status !== 200 && answer.status !== 404)) return;
    const phase = answer.status === 404 ? 'absent' : registrySchema.parse(answer.body).status.phase;
    this.#options.recorder.record({ kind: 'status-seen', registry, calledAtMs, phase });
  }

  /** Reads all pages of a registry. */
  async read(): Promise<void> {
    const registry = this.#pick(this.#options.registries);
    const calledAtMs = machineMs();
    const before = await this.#registry(registry);
    const walk = await this.#walk(registry);
    const after = await this.#registry(registry);
    if (walk === undefined || before === undefined || after === undefined) return;
    const isOne = before.snapshot !== null && before.snapshot === after.snapshot;
    const problem = walk.problem ?? (isOne && walk.states.size > 1 ? 'two states' : undefined);
    this.#options.recorder.record({
      kind: 'snapshot-read',
      registry,
      calledAtMs,
      ...(isOne && before.snapshot !== null ? { digest: before.snapshot } : {}),
      ...(problem === undefined ? {} : { problem }),
    });
  }

  /** Returns a registry that is not served or has an open request, or `undefined` if there is none. */
  async findUnsettled(): Promise<string | undefined> {
    for (const registry of this.#options.registries) {
      const found = await this.#registry(registry);
      if (found === undefined) return `${registry}: no answer`;
      const { snapshot, control, status } = found;
      if (snapshot !== null && control.handled >= control.requested) continue;
      return `${registry}: ${JSON.stringify({ snapshot, control, status })}`;
    }
    return undefined;
  }

  async #registry(name: string) {
    const answer = await this.#ask(`/v1/registries/${name}`);
    return answer?.status === 200 ? registrySchema.parse(answer.body) : undefined;
  }

  /**
   * Reads all pages. Returns `undefined` if an api did not return all rows, or served from memory: each api may
   * remember a different snapshot.
   */
  async #walk(registry: string) {
    const states = new Set<string>();
    let count = 0;
    let mixed = false;
    let cursor: string | undefined;
    do {
      const query = new URLSearchParams({
        limit: String(PAGE_SIZE),
        ...(cursor === undefined ? {} : { cursor }),
      });
      const answer = await this.#ask(`/registry/${registry}/v0.1/servers?${query}`);
      if (answer?.status !== 200 || answer.isRemembered) return undefined;
      const { servers, metadata } = pageSchema.parse(answer.body);
      const ofPage = new Set(servers.map(({ server }) => server.description));
      for (const state of ofPage) states.add(state);
      mixed ||= ofPage.size > 1;
      count += servers.length;
      cursor = metadata.nextCursor;
    } while (cursor !== undefined);
    const { rowCount } = this.#options;
    const isEmpty = count === 0;
    if (mixed) return { states, problem: 'two states on a page' };
    if (count === rowCount || isEmpty) return { states };
    return { states, problem: `${count} rows of ${rowCount}` };
  }

  async #ask(path: string, init: RequestInit = {}) {
    try {
      const response = await fetch(this.#pick(this.#options.apis) + path, {
        ...init,
        headers: { authorization: `Bearer ${this.#options.token}`, ...init.headers },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const body: unknown = await response.json();
      return {
        status: response.status,
        body,
        isRemembered: response.headers.has('x-syncline-as-of'),
      };
    } catch {
      // The api was killed, or Redis is unavailable.
      return undefined;
    }
  }

  #pick(among: readonly string[]): string {
    const picked = among[Math.floor(this.#options.random() * among.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }
}
