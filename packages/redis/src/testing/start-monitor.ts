import { Redis } from 'ioredis';

const MOST_TRIES = 20;

/**
 * Returns a connection that receives every command of a Redis, until a disconnect or the end of that Redis. On a busy
 * Redis, the monitor of ioredis may fail to start: the first command may arrive before ioredis expects one.
 */
export async function startMonitor(url: string): Promise<Redis> {
  for (let tries = 1; ; tries += 1) {
    const monitor = new Redis(url, { monitor: true, retryStrategy: () => null });
    const started = Promise.withResolvers<void>();
    monitor.once('monitoring', started.resolve);
    // This listener also handles later errors, because the monitor ends with its Redis.
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
