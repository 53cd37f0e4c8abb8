import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems assign to connections and to port 0, so that none is taken by chance. */
const FIRST_PORT = 10_000;
const LAST_PORT = 32_000;

const given = new Set<number>();

/** Returns a TCP port of the loopback address that nobody listens on now. No process gets one twice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch (error) {
    // Another error would come with any port.
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
