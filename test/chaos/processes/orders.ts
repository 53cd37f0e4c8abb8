/**
 * The orders that a process under test obeys, and its network. The harness writes an order to the file of the
 * process, and then sends the signal.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { z } from 'zod';

export const ORDER_SIGNAL = 'SIGUSR2';

const orderSchema = z.discriminatedUnion('kind', [
  /** Blocks the event loop for this long, as an unexpectedly long computation would. */
  z.object({ kind: z.literal('block'), forMs: z.int().positive() }),
  /** Shifts the time of day in the process by this much, from now on. */
  z.object({ kind: z.literal('clock'), offMs: z.int() }),
]);
export type Order = z.infer<typeof orderSchema>;

/** For each port, the port to connect to instead, because each process has its own network. */
const detoursSchema = z.record(z.string(), z.int());

const envSchema = z.object({
  CHAOS_ORDERS: z.string(),
  CHAOS_DETOURS: z.string().transform((text) => detoursSchema.parse(JSON.parse(text))),
});

/** Starts to obey orders. Call this before any other module is loaded. */
export function obeyOrders(): void {
  const { CHAOS_ORDERS: file, CHAOS_DETOURS: detours } = envSchema.parse(process.env);
  takeDetours(detours);
  const setClock = replaceClock();
  process.on(ORDER_SIGNAL, () => {
    const order = orderSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    if (order.kind === 'clock') setClock(order.offMs);
    else blockFor(order.forMs);
  });
}

function blockFor(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

function replaceClock(): (offMs: number) => void {
  let offMs = 0;
  const RealDate = Date;
  class OffDate extends RealDate {
    constructor(...args: [] | [number | string | Date]) {
      if (args.length === 0) super(RealDate.now() + offMs);
      else super(...args);
    }

    static override now(): number {
      return RealDate.now() + offMs;
    }
  }
  Object.assign(globalThis, { Date: OffDate });
  return (toMs) => {
    offMs = toMs;
  };
}

const targetSchema = z.looseObject({ port: z.coerce.number() });

/**
 * Redirects the connections of all libraries. Node's own `connect` passes its arguments to this method as a
 * list.
 */
function takeDetours(detours: Readonly<Record<string, number>>): void {
  const connect = Socket.prototype.connect;
  const detour = (target: unknown): unknown => {
    const port = detours[targetSchema.safeParse(target).data?.port ?? ''];
    return port === undefined ? target : Object.assign({}, target, { port });
  };
  Socket.prototype.connect = function connectThere(this: Socket, ...args: unknown[]): Socket {
    const [first] = args;
    if (Array.isArray(first)) first[0] = detour(first[0]);
    else args[0] = detour(first);
    return Reflect.apply(connect, this, args);
  };
}
