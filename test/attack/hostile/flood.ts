import { Agent, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientTarget } from '../scenario.ts';

export interface HostileRequest {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** How long a refused client waits. Without it, an attacker would be busy with its own errors only. */
const AFTER_ERROR_MS = 5;
const TIMEOUT_MS = 20_000;
/** As much of an answer as its error code needs. */
const READ_CHARACTERS = 2_000;

/** Sends requests over many connections at once, each after the answer to the one before, until the attack ends. */
export async function flood(
  target: ClientTarget,
  connections: number,
  next: (number: number) => HostileRequest,
): Promise<void> {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: connections,
    localAddress: target.localAddress,
  });
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (!target.signal.aborted) {
        target.tally.requests += 1;
        const answer = await send(target, agent, next(target.tally.requests));
        target.tally.count(answer);
        if (typeof answer === 'string') await sleep(AFTER_ERROR_MS);
      }
    }),
  );
  agent.destroy();
}

/** Sends a request, and returns the error code of the answer, its status, or the error of the connection. */
function send(
  { apiUrl, signal }: ClientTarget,
  agent: Agent,
  { path, method = 'GET', headers = {}, body }: HostileRequest,
): Promise<string | number> {
  return new Promise((resolve) => {
    const request = httpRequest(apiUrl + path, { method, headers, agent, signal });
    request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error('timed out')));
    request.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    request.once('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        if (text.length < READ_CHARACTERS) text += chunk.toString('latin1');
      });
      response.once('error', () => resolve('broken-answer'));
      response.once('end', () => {
        const [, code] = /"code":\s*"([a-z-]+)"/.exec(text) ?? [];
        const status = response.statusCode ?? 0;
        resolve(status >= 400 && code !== undefined ? code : status);
      });
    });
    request.end(body);
  });
}

/** Opens raw connections, and opens each again when it has ended, until the attack ends. */
export async function occupy(
  target: ClientTarget,
  connections: number,
  use: (socket: Socket) => void,
): Promise<void> {
  const { hostname, port } = new URL(target.apiUrl);
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      // Spread over a second, because a listener accepts few connections at once.
      await sleep((index / connections) * 1_000);
      while (!target.signal.aborted) {
        await occupyOnce(target, { host: hostname, port: Number(port) }, use);
        await sleep(AFTER_ERROR_MS);
      }
    }),
  );
}

function occupyOnce(
  { tally, signal, localAddress }: ClientTarget,
  place: { readonly host: string; readonly port: number },
  use: (socket: Socket) => void,
): Promise<void> {
  return new Promise((resolve) => {
    tally.requests += 1;
    const socket = connect({ ...place, localAddress });
    const end = () => socket.destroy();
    signal.addEventListener('abort', end);
    socket.once('connect', () => {
      tally.count('connected');
      use(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => tally.count(error.code ?? 'error'));
    socket.once('close', () => {
      signal.removeEventListener('abort', end);
      resolve();
    });
  });
}
