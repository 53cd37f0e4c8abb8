import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Lifetime, testLifetime } from './lifetime.ts';

/** Answers a request. */
export type AnswerRequest = (response: ServerResponse, request: IncomingMessage) => void;

/** A server with a separate answer for each first segment of a path. */
export interface ScriptedServer {
  /** The URL without a trailing slash. */
  readonly url: string;
  /** Sets the answer for `/<segment>` and all paths below it. */
  answer(segment: string, answer: AnswerRequest): void;
}

/** Starts a server on the loopback address. It answers 404 by default, and ends with the test. */
export async function startScriptedServer(
  lifetime: Lifetime = testLifetime,
): Promise<ScriptedServer> {
  const answers = new Map<string, AnswerRequest>();
  const server = createServer((request, response) => {
    const segment = request.url?.split(/[/?]/)[1] ?? '';
    const answer = answers.get(segment);
    if (answer === undefined) response.writeHead(404).end();
    else answer(response, request);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  lifetime.defer(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  // The address of a server that listens on TCP always has this type.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    answer: (segment, answer) => void answers.set(segment, answer),
  };
}
