import type { Server } from 'node:http';
import { addressGroup } from './address-group.ts';

export interface ConnectionLimits {
  readonly total: number;
  /** A limit for each client address, so that one client cannot use all connections. */
  readonly perAddress: number;
  /** Returns whether an address is a proxy, whose connections serve many clients. */
  readonly isProxy: (address: string) => boolean;
}

/** Closes new connections above the limits at once. */
export function limitConnections(
  server: Server,
  { total, perAddress, isProxy }: ConnectionLimits,
): void {
  const open = new Map<string, number>();
  server.maxConnections = total;
  server.on('connection', (socket) => {
    const { remoteAddress = '' } = socket;
    if (isProxy(remoteAddress)) return;
    const group = addressGroup(remoteAddress);
    const count = (open.get(group) ?? 0) + 1;
    if (count > perAddress) {
      socket.destroy();
      return;
    }
    open.set(group, count);
    socket.once('close', () => {
      const left = (open.get(group) ?? 1) - 1;
      if (left === 0) open.delete(group);
      else open.set(group, left);
    });
  });
}
