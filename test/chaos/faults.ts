import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisKeys } from '@syncline/contract';
import { createSyncQueue, type Redis } from '@syncline/redis';
import type { Fleet, Member, Role } from './fleet.ts';
import type { EventOf } from './history/events.ts';
import { type HistoryRecorder, machineMs } from './history/recorder.ts';
import type { Condition } from './network.ts';
import type { FaultName } from './plan.ts';
import { fillDisk, fillMemory, type Store } from './store.ts';
import type { Victims } from './victims.ts';

/** Longer than a lease and the next sweep together. */
const PAUSE_MS = 18_000;
/** Longer than a lease lasts without a renewal. */
const BLOCK_MS = 13_000;
const REDIS_AWAY_MS = 800;
const REDIS_HANGS_MS = 3_000;
const REDIS_FULL_MS = 3_000;
/** Longer than a lease, too: the holder must give up without an answer from Redis. */
const NETWORK_CUT_MS = 14_000;
const NETWORK_SLOW_MS = 10_000;
const NETWORK_DELAY_MS = 400;
const CLOCK_OFF_MS = 20_000;
const CLOCKS_OFF_BY_MS = [-240_000, -90_000, 90_000, 240_000];
/** Longer than a run may continue after its registry was removed. */
const DROPPED_MS = 14_000;

/** The parts of the system on which faults act. */
export interface Ground {
  readonly fleet: Fleet;
  readonly store: Store;
  readonly upstreamPort: number;
  readonly keys: RedisKeys;
  readonly victims: Victims;
  readonly recorder: HistoryRecorder;
  readonly registries: readonly string[];
  /** Puts a config with these registries in force. */
  readonly applyConfig: (registries: readonly string[]) => Promise<void>;
  /**
   * Restarts the watch of Redis. Call this after another server became the primary, or after the server was
   * away.
   */
  readonly watch: (why: string) => Promise<void>;
  readonly connect: () => Promise<Redis>;
}

type Fault = (ground: Ground) => Promise<void>;

/** The faults by name. Each one causes its fault and undoes it later. */
export const FAULT_ACTIONS: Readonly<Record<FaultName, Fault>> = {
  'kill-worker': (ground) => ground.victims.one('worker', (it) => replace(ground, it, 'killed')),
  'kill-scheduler': (ground) =>
    ground.victims.one('scheduler', (it) => replace(ground, it, 'killed')),
  'kill-api': (ground) => ground.victims.one('api', (it) => replace(ground, it, 'killed')),
  'stop-worker': (ground) => ground.victims.one('worker', (it) => replace(ground, it, 'stopped')),
  'replace-workers': (ground) =>
    ground.victims.all('worker', async (members) => {
      await Promise.all(members.map((member) => replace(ground, member, 'stopped')));
    }),
  'pause-worker': (ground) => ground.victims.one('worker', (member) => pause(ground, member)),
  'block-loop': (ground) => ground.victims.one(anyRole(ground), (it) => block(ground, it)),
  'skew-clock': (ground) => ground.victims.one(anyRole(ground), (it) => skewClock(ground, it)),

  'kill-redis': (ground) => killRedis(ground, { empty: false }),
  'empty-redis': (ground) => killRedis(ground, { empty: true }),
  'fail-over': (ground) =>
    toRedis(ground, { fault: 'fail-over', losesData: true }, async ({ failOver }) => {
      if (failOver === undefined) throw new Error('there is no other Redis');
      await failOver();
    }),
  // If another server replaces the frozen primary, the old primary accepts writes until it learns of that.
  // These writes are lost.
  'hang-redis': (ground) =>
    toRedis(
      ground,
      { fault: 'hang-redis', losesData: ground.store.failOver !== undefined },
      (store) => store.hang(REDIS_HANGS_MS),
    ),
  'fill-disk': (ground) => toRedis(ground, { fault: 'fill-disk' }, fill(fillDisk)),
  'fill-memory': (ground) => toRedis(ground, { fault: 'fill-memory' }, fill(fillMemory)),
  'lose-schedules': loseSchedules,

  'cut-redis': (ground) => disturb(ground, 'redis', { kind: 'cut' }),
  'delay-redis': (ground) => disturb(ground, 'redis', { kind: 'delayed', byMs: NETWORK_DELAY_MS }),
  'halve-redis': (ground) => disturb(ground, 'redis', { kind: 'halved' }),
  'cut-upstream': (ground) => disturb(ground, 'upstream', { kind: 'cut' }),
  'delay-upstream': (ground) =>
    disturb(ground, 'upstream', { kind: 'delayed', byMs: NETWORK_DELAY_MS }),
  'halve-upstream': (ground) => disturb(ground, 'upstream', { kind: 'halved' }),

  'edit-config': editConfig,
};

function record(
  { recorder }: Ground,
  fault: Pick<EventOf<'fault'>, 'fault' | 'target'> & Partial<EventOf<'fault'>>,
): void {
  recorder.record({ kind: 'fault', ...fault });
}

async function replace(ground: Ground, { name }: Member, how: 'killed' | 'stopped'): Promise<void> {
  record(ground, { fault: how === 'killed' ? 'kill' : 'stop', target: name });
  await ground.fleet.replace(name, how);
}

async function pause(ground: Ground, { name, process }: Member): Promise<void> {
  const untilMs = machineMs() + PAUSE_MS;
  record(ground, { fault: 'pause', target: name, untilMs, stops: true });
  process.pause();
  await sleep(PAUSE_MS);
  process.resume();
}

/** Picks a role. Any process can be slow or have a wrong clock, but most targets are workers. */
function anyRole({ victims }: Ground): Role {
  return victims.pick(['worker', 'worker', 'scheduler', 'api']);
}

async function block(ground: Ground, member: Member): Promise<void> {
  const untilMs = machineMs() + BLOCK_MS;
  record(ground, { fault: 'block', target: member.name, untilMs, stops: true });
  ground.fleet.order(member, { kind: 'block', forMs: BLOCK_MS });
  await sleep(BLOCK_MS);
}

/** Makes the clock of a process jump, and jump back later. */
async function skewClock(ground: Ground, member: Member): Promise<void> {
  const { fleet, victims } = ground;
  const untilMs = machineMs() + CLOCK_OFF_MS;
  record(ground, { fault: 'skew-clock', target: member.name, untilMs });
  fleet.order(member, { kind: 'clock', offMs: victims.pick(CLOCKS_OFF_BY_MS) });
  await sleep(CLOCK_OFF_MS);
  fleet.order(member, { kind: 'clock', offMs: 0 });
}

/** Disturbs the network between one process and its servers. Only workers connect to the upstream. */
async function disturb(
  ground: Ground,
  from: 'redis' | 'upstream',
  condition: Condition,
): Promise<void> {
  const { victims, store, upstreamPort } = ground;
  const ports = from === 'redis' ? store.ports : [upstreamPort];
  const forMs = condition.kind === 'delayed' ? NETWORK_SLOW_MS : NETWORK_CUT_MS;
  const role = from === 'redis' ? anyRole(ground) : 'worker';
  await victims.one(role, async ({ name, network }) => {
    const untilMs = machineMs() + forMs;
    record(ground, { fault: `${condition.kind} ${from}`, target: name, untilMs });
    network.set(condition, ports);
    await sleep(forMs);
    network.set({ kind: 'open' }, ports);
  });
}

async function toRedis(
  ground: Ground,
  fault: Pick<EventOf<'fault'>, 'fault' | 'losesData'>,
  act: (store: Store) => Promise<void>,
): Promise<void> {
  const { victims, store, recorder, watch } = ground;
  await victims.only('redis', async () => {
    record(ground, { ...fault, target: 'redis' });
    await act(store);
    recorder.record({ kind: 'redis-back' });
    if (fault.losesData === true) await watch(fault.fault);
    await store.settle();
    if (fault.losesData === true) recorder.record({ kind: 'redis-settled' });
  });
}

function killRedis(ground: Ground, { empty }: { empty: boolean }): Promise<void> {
  const fault = empty ? 'empty-redis' : 'kill-redis';
  return toRedis(ground, { fault, losesData: true }, (store) =>
    store.restart({ empty, awayMs: REDIS_AWAY_MS }),
  );
}

function fill(how: typeof fillDisk | typeof fillMemory) {
  return async (store: Store) => {
    const empty = await how(await store.primary());
    await sleep(REDIS_FULL_MS);
    await empty();
  };
}

/**
 * Deletes a fifth of all schedules. A restart at the wrong moment can have this effect, or an operator who
 * deletes keys.
 */
async function loseSchedules(ground: Ground): Promise<void> {
  const { victims, registries, connect, keys } = ground;
  await victims.only('redis', async () => {
    record(ground, { fault: 'lose-schedules', target: 'schedules' });
    const redis = await connect();
    const queue = createSyncQueue({ redis, keys, onError: () => {} });
    try {
      const lost = registries.filter((_, index) => index % 5 === 0);
      await Promise.all(lost.map((registry) => queue.removeJobScheduler(registry)));
    } finally {
      await queue.close();
      redis.disconnect();
    }
  });
}

/** Removes a registry from the config, and restores it later. */
async function editConfig(ground: Ground): Promise<void> {
  const { victims, registries, applyConfig } = ground;
  await victims.only('config', async () => {
    const dropped = victims.pick(registries);
    record(ground, { fault: 'edit-config', target: dropped });
    await applyConfig(registries.filter((name) => name !== dropped));
    await sleep(DROPPED_MS);
    await applyConfig(registries);
  });
}
