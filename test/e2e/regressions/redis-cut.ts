import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { testLifetime } from '../../support/lifetime.ts';
import type { RedisServerHandle } from '../../support/redis-server.ts';

/** A proxy between a program and its Redis, which kills Redis after a chosen step. */
export interface RedisCut {
  readonly url: string;
  /**
   * Has Redis killed once it has done the `nth` thing, from 1, that was sent in one piece with a command that
   * `isMeant` takes. The answer is withheld: whoever asked cannot know whether it was done.
   *
   * @returns a promise for its end, and a way to call it off, which says whether that came in time
   */
  killAfter(nth: number, isMeant: (command: string) => boolean): PlannedDeath;
}

export interface PlannedDeath {
  readonly happened: Promise<void>;
  callOff(): boolean;
}

interface Armed {
  left: number;
  readonly isMeant: (command: string) => boolean;
  readonly resolve: () => void;
}

export async function startRedisCut(redis: RedisServerHandle): Promise<RedisCut> {
  let armed: Armed | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((program) => {
    const upstream = connect(redis.port, '127.0.0.1');
    let asked: Armed | undefined;
    let withheld: (() => void) | undefined;
    for (const [socket, other] of [
      [program, upstream],
      [upstream, program],
    ] as const) {
      sockets.add(socket);
      socket.once('error', () => other.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    program.on('data', (data) => {
      if (armed !== undefined && commandsIn(data).some(armed.isMeant)) asked = armed;
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      // A script that Redis does not know yet is sent again: nothing was done.
      if (asked !== undefined && asked === armed && !data.includes('NOSCRIPT')) {
        asked.left -= 1;
        if (asked.left === 0) withheld = asked.resolve;
      }
      asked = undefined;
      if (withheld === undefined) program.write(data);
      else redis.kill().then(withheld, () => {});
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  testLifetime.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  // A server that listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${port}`,
    killAfter: (nth, isMeant) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const planned: Armed = { left: nth, isMeant, resolve };
      armed = planned;
      return {
        happened: promise,
        callOff: () => {
          if (armed === planned) armed = undefined;
          return planned.left > 0;
        },
      };
    },
  };
}

/** In the protocol of Redis a command is an array: `*<length>`, and a line for each part of it. */
function commandsIn(data: Buffer): string[] {
  return data.toString('latin1').split(/^\*\d+\r\n/m);
}
