import { Redis } from 'ioredis';

const MOST_TRIES = 20;

/**
 * A connection that is shown all that a Redis does, until it is disconnected or that Redis ends. That of
 * ioredis does not begin on a busy one: the first command may come with the answer, before it knows that it is
 * monitoring.
 */
export async function startMonitor(url: string): Promise<Redis> {
  for (let tries = 1; ; tries += 1) {
    const monitor = new Redis(url, { monitor: true, retryStrategy: () => null });
    const started = Promise.withResolvers<void>();
    monitor.once('monitoring', started.resolve);
    // Also later: it ends with the Redis that it watches.
    monitor.on('error', started.reject);
    try {
      await started.promise;
      return monitor;
    } catch (error) {
      monitor.disconnect();
      if (tries === MOST_TRIES) throw error;
    }
  }
}
