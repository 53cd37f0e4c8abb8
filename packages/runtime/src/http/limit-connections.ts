import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup } from './client-address.ts';

export interface ConnectionLimits {
  readonly total: number;
  /** A limit for each client address, so that one client cannot use all connections. */
  readonly perAddress: number;
  /** Returns whether an address is a proxy, whose connections serve many clients. */
  readonly isProxy: (address: string) => boolean;
}

/** How long connections of a misbehaving address are refused. */
const REFUSED_FOR_MS = 5_000;

export interface ConnectionGuard {
  /**
   * Closes a connection. If its address is not a proxy, also closes all other connections of the address, and refuses
   * new ones for some seconds. Otherwise, the client could do the same again at once.
   */
  refuse(socket: Socket): void;
}

/** Closes new connections above the limits at once. */
export function limitConnections(
  server: Server,
  { total, perAddress, isProxy }: ConnectionLimits,
): ConnectionGuard {
  const open = new Map<string, Set<Socket>>();
  const refused = new Set<string>();
  server.maxConnections = total;
  server.on('connection', (socket) => {
    const { remoteAddress = '' } = socket;
    if (isProxy(remoteAddress)) return;
    const group = addressGroup(remoteAddress);
    const sockets = open.get(group) ?? new Set();
    if (sockets.size >= perAddress || refused.has(group)) {
      socket.destroy();
      return;
    }
    open.set(group, sockets.add(socket));
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) open.delete(group);
    });
  });
  return {
    refuse(socket) {
      const { remoteAddress = '' } = socket;
      socket.destroy();
      if (isProxy(remoteAddress)) return;
      const group = addressGroup(remoteAddress);
      for (const other of open.get(group) ?? []) other.destroy();
      refused.add(group);
      setTimeout(() => refused.delete(group), REFUSED_FOR_MS).unref();
    },
  };
}
