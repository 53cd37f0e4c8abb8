import path from 'node:path';
import {
  freePort,
  type Lifetime,
  PROGRAMS,
  type ProcessHandle,
  startProcess,
  until,
} from '@syncline/test/support';
import type { HistoryRecorder } from './history/recorder.ts';
import type { Sabotage } from './plan.ts';

export type Role = 'scheduler' | 'worker' | 'api';

/** A place in the fleet: a process that is killed is followed by another one of the same name. */
export interface Member {
  readonly role: Role;
  readonly name: string;
  /** Of an api. */
  readonly url?: string;
  /** The one that runs, or ran last. */
  readonly process: ProcessHandle;
}

export interface FleetOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Where workers write their histories. */
  readonly directory: string;
  readonly recorder: HistoryRecorder;
  readonly lifetime: Lifetime;
  /** What workers are to do without. */
  readonly sabotage: Sabotage | undefined;
}

const ENTRIES: Readonly<Record<Role, string>> = {
  scheduler: PROGRAMS.scheduler,
  worker: 'test/chaos/processes/worker.ts',
  api: PROGRAMS.api,
};
/** As long as whoever watches over processes may take to see that one has ended. */
const REPLACED_AFTER_MS = 1_000;
const STARTED_WITHIN_MS = 60_000;

/** The processes of the system under test. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members: { -readonly [Key in keyof Member]: Member[Key] }[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  of(role: Role): readonly Member[] {
    return this.#members.filter((member) => member.role === role);
  }

  /** Starts a process in a place of its own, and waits until it has started. */
  async add(role: Role, name: string): Promise<void> {
    const port = role === 'api' ? await freePort() : undefined;
    const url = port === undefined ? {} : { url: `http://127.0.0.1:${port}` };
    const process = await this.#start({ role, name, ...url });
    this.#members.push({ role, name, ...url, process });
  }

  /** Ends a process, at once or in good order, and starts another one in its place. */
  async replace(name: string, how: 'killed' | 'stopped'): Promise<void> {
    const member = this.#find(name);
    await (how === 'killed' ? member.process.kill() : member.process.stop());
    this.#options.recorder.record({ kind: 'process-ended', name, how });
    await waitMs(REPLACED_AFTER_MS);
    member.process = await this.#start(member);
  }

  /** Ends all in good order: apis first, workers last. */
  async stop(): Promise<void> {
    const order: readonly Role[] = ['api', 'scheduler', 'worker'];
    for (const role of order) {
      await Promise.all(this.of(role).map((member) => this.#stop(member)));
    }
  }

  async #stop({ name, process }: Member): Promise<void> {
    const wasRunning = process.running;
    if (wasRunning) await process.stop();
    const how = wasRunning ? 'stopped' : 'by itself';
    this.#options.recorder.record({ kind: 'process-ended', name, how });
  }

  async #start({ role, name, url }: Omit<Member, 'process'>): Promise<ProcessHandle> {
    const { env, directory, recorder, lifetime, sabotage } = this.#options;
    const history = path.join(directory, `${name}.ndjson`);
    const ofWorker = [history, ...(sabotage === undefined ? [] : [sabotage])];
    const process = await startProcess({
      name,
      entry: ENTRIES[role],
      args: role === 'worker' ? ofWorker : [],
      env: { ...env, ...(url === undefined ? {} : { PORT: new URL(url).port }) },
      lifetime,
    });
    recorder.record({ kind: 'process-started', name, pid: process.pid });
    // Redis may be away when it is started; it is one of ours all the same.
    await until(() => process.output.logs.length > 0 || !process.running, {
      what: `the first words of ${name}`,
      timeoutMs: STARTED_WITHIN_MS,
    });
    return process;
  }

  #find(name: string) {
    const member = this.#members.find((it) => it.name === name);
    if (member === undefined) throw new Error(`there is no ${name}`);
    return member;
  }
}

export function waitMs(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}
