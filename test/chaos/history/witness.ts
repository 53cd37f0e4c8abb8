/**
 * Records the effect of each script in the order of Redis, as MONITOR shows it. MONITOR shows the call of a script
 * with its arguments, and then the commands of the script, before any other command. So the witness knows who had
 * which lease without trusting a worker, even if a script is wrong.
 */
import { phaseSchema, type RedisKeys } from '@syncline/contract';
import { startMonitor } from '@syncline/redis/testing';
import { z } from 'zod';
import type { Happened } from './events.ts';
import type { HistoryRecorder } from './recorder.ts';

/** A command that Redis ran, with the time of Redis's clock. */
interface Command {
  readonly redisMs: number;
  readonly args: readonly string[];
  readonly isOfScript: boolean;
}

/** A call of a script, and the effect of the script. */
interface Call {
  readonly redisMs: number;
  readonly registry: string;
  readonly args: readonly string[];
  readonly statusFields: Map<string, string>;
  publishes: string | undefined;
  isEnd: boolean;
  wrote: string | undefined;
}

const FIRST_ARGUMENT = 3;
/** A script has ended when MONITOR shows the next command, or after this time if Redis is idle. */
const FLUSH_EVERY_MS = 200;

/** Turns commands into events. */
class CommandReader {
  readonly #registryOf: (key: string) => { registry: string; suffix: string } | undefined;
  readonly #record: (happened: Happened) => void;
  #call: Call | undefined;

  constructor(keys: RedisKeys, record: (happened: Happened) => void) {
    const [before = '', after = ''] = keys.status('\0').split('\0');
    const prefix = before;
    const braceAndColon = after.slice(0, after.lastIndexOf(':') + 1);
    this.#registryOf = (key) => {
      const end = key.indexOf(braceAndColon, prefix.length);
      if (!key.startsWith(prefix) || end < 0) return undefined;
      const suffix = key.slice(end + braceAndColon.length);
      return { registry: key.slice(prefix.length, end), suffix };
    };
    this.#record = record;
  }

  take({ redisMs, args, isOfScript }: Command): void {
    if (isOfScript) {
      this.#takeEffect(args);
      return;
    }
    this.flush();
    if (!/^eval(sha)?$/i.test(args[0] ?? '')) return;
    const keyCount = Number(args[2]);
    const registry = this.#registryOf(args[FIRST_ARGUMENT] ?? '')?.registry;
    if (registry === undefined) return;
    this.#call = {
      redisMs,
      registry,
      args: args.slice(FIRST_ARGUMENT + keyCount),
      statusFields: new Map(),
      publishes: undefined,
      isEnd: false,
      wrote: undefined,
    };
  }

  /** Ends the current call: the script that was called last has ended. */
  flush(): void {
    const call = this.#call;
    this.#call = undefined;
    if (call === undefined) return;
    const happened = eventOf(call);
    if (happened !== undefined) this.#record(happened);
  }

  #takeEffect([command = '', key = '', ...rest]: readonly string[]): void {
    const call = this.#call;
    const suffix = this.#registryOf(key)?.suffix;
    if (call === undefined || suffix === undefined) return;
    switch (`${command.toUpperCase()} ${suffix}`) {
      case 'HSET status':
        for (let index = 0; index < rest.length; index += 2) {
          call.statusFields.set(rest[index] ?? '', rest[index + 1] ?? '');
        }
        break;
      case 'HDEL status':
        call.isEnd ||= rest.includes('owner');
        break;
      case 'SET snapshot':
        [call.publishes] = rest;
        break;
      case 'HSET snapshot:chunks':
      case 'HSET snapshot:manifests':
      case 'HDEL snapshot:chunks':
      case 'HDEL snapshot:manifests':
        call.wrote = `${command.toUpperCase()} ${suffix}`;
        break;
    }
  }
}

function eventOf({ redisMs, registry, args, ...did }: Call): Happened | undefined {
  const { statusFields, publishes, isEnd, wrote } = did;
  const leaseUntilMs = Number(statusFields.get('leaseUntil'));
  const term = statusFields.get('term');
  const owner = statusFields.get('owner');
  if (term !== undefined && owner !== undefined) {
    return { kind: 'store-acquired', registry, term, owner, redisMs, leaseUntilMs };
  }
  const [first = '', second = ''] = args;
  const by = { registry, term: first, owner: second, redisMs };
  if (isEnd || publishes !== undefined) {
    const phase = phaseSchema.safeParse(statusFields.get('phase')).data;
    return {
      kind: 'store-ended',
      ...by,
      ...(phase === undefined ? {} : { phase }),
      ...(publishes === undefined ? {} : { publishes }),
    };
  }
  if (statusFields.has('leaseUntil')) return { kind: 'store-renewed', ...by, leaseUntilMs };
  if (wrote !== undefined) return { kind: 'store-wrote', ...by, what: wrote };
  if (statusFields.size === 0) return undefined;
  // `save-status` gets the fencing token in one argument. `confirm-unchanged` gets only the term of a finished run.
  const [termOfToken = '', ownerOfToken] = first.split(':');
  if (ownerOfToken === undefined) return undefined;
  return {
    ...by,
    kind: 'store-wrote',
    term: termOfToken,
    owner: ownerOfToken,
    what: 'HSET status',
  };
}

const timeSchema = z.coerce.number();

/** Starts to watch a Redis, until the watch is closed or Redis ends. */
export async function watchRedis(
  url: string,
  { keys, recorder, why }: { keys: RedisKeys; recorder: HistoryRecorder; why: string },
): Promise<{ close: () => void }> {
  const monitor = await startMonitor(url);
  recorder.record({ kind: 'store-unknown', why });
  const reader = new CommandReader(keys, recorder.record);
  monitor.on('monitor', (time: unknown, args: string[], source: unknown) => {
    const redisMs = timeSchema.parse(time) * 1_000;
    reader.take({ redisMs, args, isOfScript: source === 'lua' });
  });
  const timer = setInterval(() => reader.flush(), FLUSH_EVERY_MS);
  return {
    close: () => {
      clearInterval(timer);
      reader.flush();
      // A frozen connection still delivers its output when it continues, so remove the listeners first.
      monitor.removeAllListeners('monitor');
      monitor.disconnect();
    },
  };
}
