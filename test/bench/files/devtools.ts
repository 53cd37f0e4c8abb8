import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Lifetime } from '../../support/lifetime.ts';

const scriptsSchema = z.object({
  result: z.array(
    z.object({
      url: z.string(),
      functions: z.array(
        z.object({ functionName: z.string(), ranges: z.array(z.object({ count: z.number() })) }),
      ),
    }),
  ),
});
const messageSchema = z.object({
  id: z.number().optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
  method: z.string().optional(),
  params: z.object({ sessionId: z.string(), message: z.string() }).partial().optional(),
});

type Send = (method: string, params?: object) => Promise<unknown>;

/** Counts which files a process runs, in its main thread and in its worker threads. */
export interface FileTrace {
  /** Forgets what has run before. */
  reset(): Promise<void>;
  /** Returns the files in which a function has run since {@link reset}. */
  files(): Promise<readonly string[]>;
}

/**
 * Attaches to the debugger of a process that was started with `--inspect`.
 *
 * @param url the WebSocket address that Node prints at its start
 */
export async function attachTrace(url: string, lifetime: Lifetime): Promise<FileTrace> {
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onerror = () => opened.reject(new Error(`could not attach to ${url}`));
  await opened.promise;
  lifetime.defer(() => socket.close());

  let lastId = 0;
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const threads = new Map<string, Send>();
  const answered = ({ id, result, error }: z.infer<typeof messageSchema>) => {
    const waiting = pending.get(id ?? 0);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(JSON.stringify(error)));
  };
  const sendBy = (post: (message: string) => unknown): Send => {
    return (method, params = {}) => {
      lastId += 1;
      const answer = Promise.withResolvers<unknown>();
      pending.set(lastId, answer);
      post(JSON.stringify({ id: lastId, method, params }));
      return answer.promise;
    };
  };
  const main = sendBy((message) => socket.send(message));
  const sendTo = (sessionId: string) =>
    sendBy((message) => main('NodeWorker.sendMessageToWorker', { sessionId, message }));
  socket.onmessage = ({ data }) => {
    const message = messageSchema.parse(JSON.parse(String(data)));
    const { sessionId = '', message: inner = '' } = message.params ?? {};
    if (message.method === 'NodeWorker.attachedToWorker') threads.set(sessionId, sendTo(sessionId));
    if (message.method === 'NodeWorker.detachedFromWorker') threads.delete(sessionId);
    if (message.method === 'NodeWorker.receivedMessageFromWorker') {
      answered(messageSchema.parse(JSON.parse(inner)));
    }
    answered(message);
  };
  await main('NodeWorker.enable', { waitForDebuggerOnStart: false });

  const everyThread = async <Result>(ask: (send: Send) => Promise<Result>) =>
    Promise.all([main, ...threads.values()].map(ask));
  const take = async (send: Send) =>
    scriptsSchema.parse(await send('Profiler.takePreciseCoverage')).result;
  return {
    reset: async () => {
      await everyThread(async (send) => {
        await send('Profiler.enable');
        await send('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
        await take(send);
      });
    },
    files: async () => {
      const scripts = (await everyThread(take)).flat();
      const ran = scripts.filter(({ url: file, functions }) => {
        const calls = functions.filter(
          ({ functionName, ranges }) => functionName !== '' && (ranges[0]?.count ?? 0) > 0,
        );
        return file.startsWith('file:') && calls.length > 0;
      });
      return [...new Set(ran.map(({ url: file }) => fileURLToPath(file)))].sort();
    },
  };
}
