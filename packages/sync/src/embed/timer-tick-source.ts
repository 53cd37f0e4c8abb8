import type { Logger, Trigger } from '@syncline/contract';
import { nextFiringMs } from '../decide/cron.ts';
import type { ConfigSource } from '../ports/config-source.ts';
import type { LeasePurpose } from '../ports/run-store.ts';
import type { TickHandler, TickSource } from '../ports/tick-source.ts';

/** Node.js fires a timer of more than 24.8 days at once. */
const LONGEST_TIMER_MS = 86_400_000;
/** A tick throws if the store is unusable, for example because a disk is full or a file is unreadable. */
const RETRY_AFTER_ERROR_MS = 10_000;

/**
 * Creates ticks from timers in this process: at once for each registry, then at its interval or schedule, and earlier
 * after a failure. Only programs that embed a coordinator use it.
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
  let handle: TickHandler;
  let isStopped = false;

  return {
    async start(handler) {
      handle = handler;
      for (const { name } of config.targets()) run(name, 'startup');
    },
    async stop({ graceMs }) {
      isStopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      const grace = setTimeout(() => stop.abort(), graceMs);
      await Promise.allSettled(running);
      clearTimeout(grace);
    },
  };

  function run(registry: string, trigger: Trigger, purpose: LeasePurpose = { kind: 'tick' }): void {
    if (isStopped) return;
    const ended = runOnce(registry, trigger, purpose)
      .catch((error: unknown) => {
        logger.error({ err: error, registry }, 'the tick failed');
        return RETRY_AFTER_ERROR_MS;
      })
      .then((retryMs) => setTimer(registry, retryMs))
      .finally(() => running.delete(ended));
    running.add(ended);
  }

  /** Returns the delay before a retry, or infinity without a retry. */
  async function runOnce(
    registry: string,
    trigger: Trigger,
    purpose: LeasePurpose,
  ): Promise<number> {
    const result = await handle({ registry, trigger, force: false, purpose }, stop.signal);
    let retryMs = Number.POSITIVE_INFINITY;
    for (const followUp of result.state === 'ran' ? result.followUps : []) {
      switch (followUp.kind) {
        case 'dependent':
          // Requests the run, so that a catalog that is running runs again.
          run(followUp.registry, 'change', { kind: 'request', force: false });
          break;
        case 'request':
          run(followUp.registry, 'change', { kind: 'wake-up', request: followUp.request });
          break;
        case 'retry':
          retryMs = followUp.delayMs;
      }
    }
    return retryMs;
  }

  /** Sets the timer for the registry's next tick, or for its retry if the retry comes first. */
  function setTimer(registry: string, retryMs: number): void {
    const known = config.registry(registry);
    if (isStopped || known === undefined) return;
    const nowMs = Date.now();
    const { schedule, syncPolicy } = known;
    const tickAtMs =
      schedule === undefined ? nowMs + syncPolicy.interval : nextFiringMs(schedule, nowMs);
    const isRetry = nowMs + retryMs < tickAtMs;
    wait(registry, isRetry ? 'retry' : 'schedule', isRetry ? nowMs + retryMs : tickAtMs);
  }

  /** Waits again if the timer fires early by the wall clock. Otherwise, a schedule would fire twice. */
  function wait(registry: string, trigger: Trigger, dueMs: number): void {
    // Another run of the registry may have set a timer.
    clearTimeout(timers.get(registry));
    const timer = setTimeout(
      () => (Date.now() < dueMs ? wait(registry, trigger, dueMs) : run(registry, trigger)),
      Math.min(Math.max(0, dueMs - Date.now()), LONGEST_TIMER_MS),
    );
    timers.set(registry, timer);
  }
}
