import type { Logger, RegistryConfig } from '@syncline/contract';
import { nextFiringMs } from '../decide/cron.ts';
import type { ConfigSource } from '../ports/config-source.ts';
import type { Tick, TickHandler, TickSource } from '../ports/tick-source.ts';

/** Node fires timers that are longer than 24.8 days at once. */
const LONGEST_TIMER_MS = 86_400_000;

/**
 * Ticks from timers in this process: at once for each registry, then each interval, or whenever its
 * schedule fires, and earlier after a failure. For programs that embed a coordinator; everyone else has
 * BullMQ.
 */
export function createTimerTickSource({
  config,
  logger,
}: {
  config: ConfigSource;
  logger: Logger;
}): TickSource {
  const timers = new Map<string, NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  const stop = new AbortController();
  let stopped = false;

  return {
    async start(handle) {
      for (const { name } of config.targets()) {
        run(
          { registry: name, trigger: 'startup', force: false, purpose: { kind: 'tick' } },
          handle,
        );
      }
    },
    async stop({ graceMs }) {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      const grace = setTimeout(() => stop.abort(), graceMs);
      await Promise.allSettled(running);
      clearTimeout(grace);
    },
  };

  function run(tick: Tick, handle: TickHandler): void {
    const ended = handle(tick, stop.signal)
      .then((result) => {
        if (result.state !== 'ran') return undefined;
        for (const registry of result.dependents) follow(registry, handle);
        return result.run.error?.nextTryAt;
      })
      .catch((error: unknown) => {
        logger.error({ err: error, registry: tick.registry }, 'the tick failed');
        return undefined;
      })
      .then((nextTryAt) => schedule(tick.registry, { handle, nextTryAt }))
      .finally(() => running.delete(ended));
    running.add(ended);
  }

  /** As a request, so that a catalog that is being built is built once more. */
  function follow(registry: string, handle: TickHandler): void {
    if (stopped) return;
    clearTimeout(timers.get(registry));
    const purpose = { kind: 'request', force: false } as const;
    run({ registry, trigger: 'change', force: false, purpose }, handle);
  }

  function schedule(
    registry: string,
    { handle, nextTryAt }: { handle: TickHandler; nextTryAt: string | undefined },
  ): void {
    const known = config.registry(registry);
    if (stopped || known === undefined) return;
    const tickAtMs = nextTickMs(known, Date.now());
    const retryAtMs = nextTryAt === undefined ? tickAtMs : Date.parse(nextTryAt);
    const trigger = retryAtMs < tickAtMs ? 'retry' : 'schedule';
    const tick: Tick = { registry, trigger, force: false, purpose: { kind: 'tick' } };
    wait(Math.min(tickAtMs, retryAtMs), { tick, handle });
  }

  /** A timer may also fire early by the wall clock, which would fire a schedule twice. */
  function wait(dueMs: number, due: { tick: Tick; handle: TickHandler }): void {
    const aheadMs = dueMs - Date.now();
    const timer = setTimeout(
      () => (Date.now() < dueMs ? wait(dueMs, due) : run(due.tick, due.handle)),
      Math.min(Math.max(0, aheadMs), LONGEST_TIMER_MS),
    );
    timers.set(due.tick.registry, timer);
  }
}

function nextTickMs({ schedule, syncPolicy }: RegistryConfig, nowMs: number): number {
  return schedule === undefined ? nowMs + syncPolicy.interval : nextFiringMs(schedule, nowMs);
}
