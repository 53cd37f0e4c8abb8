import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  freePort,
  type Lifetime,
  type ProcessHandle,
  startProcess,
  until,
} from '@syncline/test/support';
import type { HistoryRecorder } from './history/recorder.ts';
import { Network } from './network.ts';
import type { Sabotage } from './plan.ts';
import { ORDER_SIGNAL, type Order } from './processes/orders.ts';

export type Role = 'scheduler' | 'worker' | 'api';

/**
 * A member of the fleet. If its process is killed, another process with the same name replaces it.
 */
export interface Member {
  readonly role: Role;
  readonly name: string;
  /** The URL, for an api. */
  readonly url?: string;
  /** The process that is running, or that ran last. */
  readonly process: ProcessHandle;
  /** The network between this process and all servers. */
  readonly network: Network;
}

export interface FleetOptions {
  readonly env: Readonly<Record<string, string>>;
  /** The folder for the histories of workers. */
  readonly directory: string;
  readonly recorder: HistoryRecorder;
  readonly lifetime: Lifetime;
  /** The ports of the servers to which processes connect. */
  readonly ports: readonly number[];
  /** The mechanism that is removed from the processes. */
  readonly sabotage: Sabotage | undefined;
}

const ENTRIES: Readonly<Record<Role, string>> = {
  scheduler: 'test/chaos/processes/scheduler.ts',
  worker: 'test/chaos/processes/worker.ts',
  api: 'test/chaos/processes/api.ts',
};
/** The time in which a supervisor notices that a process has ended. */
const REPLACED_AFTER_MS = 1_000;

/** The processes of the system under test. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members: { -readonly [Key in keyof Member]: Member[Key] }[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  of(role: Role): readonly Member[] {
    return this.#members.filter((member) => member.role === role);
  }

  /** Starts a process as a new member, and waits until it has started. */
  async add(role: Role, name: string): Promise<void> {
    const port = role === 'api' ? await freePort() : undefined;
    const url = port === undefined ? {} : { url: `http://127.0.0.1:${port}` };
    const { ports, lifetime } = this.#options;
    const network = await Network.create(ports, lifetime);
    const process = await this.#start({ role, name, network, ...url });
    this.#members.push({ role, name, network, ...url, process });
  }

  /** Kills or stops a process, and starts another process in its place. */
  async replace(name: string, how: 'killed' | 'stopped'): Promise<void> {
    const member = this.#find(name);
    await this.#end(member, how);
    await sleep(REPLACED_AFTER_MS);
    member.process = await this.#start(member);
  }

  /** Sends an order to a process. The process obeys as soon as its event loop runs. */
  order({ name, process }: Member, order: Order): void {
    writeFileSync(this.#ordersOf(name), JSON.stringify(order));
    process.signal(ORDER_SIGNAL);
  }

  /** Stops all processes: apis first, workers last. */
  async stop(): Promise<void> {
    const order: readonly Role[] = ['api', 'scheduler', 'worker'];
    for (const role of order) {
      await Promise.all(this.of(role).map((member) => this.#end(member, 'stopped')));
    }
  }

  async #end({ name, process }: Member, how: 'killed' | 'stopped'): Promise<void> {
    const { recorder } = this.#options;
    if (!process.running) {
      recorder.record({ kind: 'process-ended', name, how: 'by itself' });
      return;
    }
    const { code } = await (how === 'killed' ? process.kill() : process.stop());
    const isInOrder = how === 'killed' || code === 0;
    recorder.record({ kind: 'process-ended', name, how: isInOrder ? how : 'out of order' });
  }

  #ordersOf(name: string): string {
    return path.join(this.#options.directory, `${name}.orders.json`);
  }

  async #start({ role, name, url, network }: Omit<Member, 'process'>): Promise<ProcessHandle> {
    const { env, directory, recorder, lifetime, sabotage } = this.#options;
    const history = path.join(directory, `${name}.ndjson`);
    const without = sabotage === undefined ? [] : [sabotage];
    const args = { scheduler: without, worker: [history, ...without], api: [] };
    const process = await startProcess({
      name,
      entry: ENTRIES[role],
      args: args[role],
      env: {
        ...env,
        ...(url === undefined ? {} : { PORT: new URL(url).port }),
        CHAOS_ORDERS: this.#ordersOf(name),
        CHAOS_DETOURS: JSON.stringify(network.detours),
      },
      lifetime,
    });
    recorder.record({ kind: 'process-started', name, pid: process.pid });
    const log = path.join(directory, `${name}.log`);
    let written = 0;
    process.output.onLine(() => {
      const lines = process.output.lines.slice(written);
      written += lines.length;
      appendFileSync(log, lines.map((line) => `${line}\n`).join(''));
    });
    // The process may start while Redis is unavailable. It still belongs to the fleet.
    await until(() => process.output.logs.length > 0 || !process.running, {
      what: `the first log line of ${name}`,
    });
    return process;
  }

  #find(name: string) {
    const member = this.#members.find((it) => it.name === name);
    if (member === undefined) throw new Error(`there is no ${name}`);
    return member;
  }
}
