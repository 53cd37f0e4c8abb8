import { occupy } from '../../hostile/flood.ts';
import type { Scenario } from '../../scenario.ts';

const CONNECTIONS = 8_000;

/** 8,000 connections stay open and send nothing. Others must still get a connection and an answer. */
export const idleConnections: Scenario = {
  id: 'R14',
  title: '8,000 idle connections',
  clients: (target) => occupy(target, CONNECTIONS, () => {}),
  cause: { answer: ['connected', 'ECONNRESET', 'ECONNREFUSED'] },
};
