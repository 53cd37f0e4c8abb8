import { setTimeout as sleep } from 'node:timers/promises';
import { isConfigFault } from '@syncline/contract';
import { type Access, createAccess } from '../access/access.ts';
import { type Env, type ReadEnvOptions, readEnv, unknownVariables } from '../env/env.ts';
import { startOpsServer } from '../http/ops-server.ts';
import { createLogger, type Logger } from '../logger.ts';
import {
  defaultMemoryBytes,
  type MemoryPlan,
  planMemory,
  readMachineMemory,
} from '../memory/memory-plan.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { VERSION } from '../version.ts';
import { composeServices, readinessOf, type Service } from './service.ts';

/** The parts that every process has. */
export interface ProcessContext {
  readonly env: Env;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly memory: MemoryPlan;
  readonly access: Access;
}

export interface RunProcessOptions {
  /**
   * The maximum duration of a stop, in milliseconds. After this time, the process exits with status 1. Default: 25,000.
   */
  readonly stopDeadlineMs?: number;
  /** Values that override the environment in `context.env`, and other defaults. */
  readonly env?: ReadEnvOptions;
  /** Reports why the process failed to start or to stop. Default: a fatal line in the log. */
  readonly reportFailure?: (error: unknown) => void;
}

/** Less than the 30 s after which Kubernetes kills the process, so that the log shows what happened. */
const STOP_DEADLINE_MS = 25_000;
/** Shorter than the other deadline, because a service that is still starting has no work to finish. */
const STARTING_STOP_DEADLINE_MS = 5_000;
/** The longest delay of a timer in Node. */
const FOREVER_MS = 2 ** 31 - 1;

/** The time for file writes that continue after a normal stop. */
const LAST_FILE_CALLS_MS = 1_000;

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs a service in this process until SIGTERM or SIGINT, then ends the process. The exit status is 0 after a normal stop.
 * It is 1 if the service failed, crashed or did not stop in time. It is 2, with a message without a stack, if the
 * environment or the config is invalid. If a thread still hangs, for example in a call to a file system, the process ends
 * with SIGKILL.
 */
export async function runProcess(
  name: string,
  start: (context: ProcessContext) => Promise<Service>,
  { stopDeadlineMs = STOP_DEADLINE_MS, ...options }: RunProcessOptions = {},
): Promise<void> {
  const context = createContext(name, options.env);
  const { logger } = context;
  const { reportFailure = (error) => logger.fatal({ err: error }, 'failed') } = options;
  exitOnCrash(logger);
  // Keeps Node running: between two parts of the start, there may be no open handle.
  setInterval(() => {}, FOREVER_MS);
  const exitNow = (message: string) => {
    logger.error(message);
    endProcess(EXIT_FAILED);
  };
  const stopSignal = nextStopSignal({
    onRepeated: () => exitNow('received a second stop signal, ending at once'),
  });
  let deadline: NodeJS.Timeout | undefined;
  const endAfter = (deadlineMs: number) => {
    clearTimeout(deadline);
    const end = () => exitNow(`did not stop within ${deadlineMs} ms, ending now`);
    deadline = setTimeout(end, deadlineMs);
  };
  void stopSignal.then((signal) => {
    logger.info({ signal }, 'stopping');
    endAfter(Math.min(stopDeadlineMs, STARTING_STOP_DEADLINE_MS));
  });
  try {
    const running = await startWithOps(name, start, context);
    logger.info({ version: VERSION }, 'started');
    await stopSignal;
    // Also applies if the signal came during the start, because the service may have started work since then.
    endAfter(stopDeadlineMs);
    await running.stop();
    logger.info('stopped');
    if (hasBusyThreads()) await sleep(LAST_FILE_CALLS_MS);
    endProcess(EXIT_OK);
  } catch (error) {
    exitWith(error, reportFailure);
  }
}

/**
 * Ends the process. A normal exit of Node waits for all threads, even for a thread that hangs in a call to a file system.
 */
function endProcess(code: number): never {
  if (hasBusyThreads()) process.kill(process.pid, 'SIGKILL');
  process.exit(code);
}

/** Returns whether a thread hangs: a thread of Node's pool, or a worker thread that does not respond. */
function hasBusyThreads(): boolean {
  return process
    .getActiveResourcesInfo()
    .some((resource) => resource.startsWith('FSReq') || resource === 'MessagePort');
}

function createContext(name: string, envOptions: ReadEnvOptions | undefined): ProcessContext {
  try {
    const env = readEnv(process.env, envOptions);
    const logger = createLogger({ name, level: env.logLevel });
    const variables = unknownVariables();
    if (variables.length > 0) logger.warn({ variables }, 'unknown environment variables ignored');
    const { memoryBytes: totalBytes = defaultMemoryBytes(readMachineMemory()) } = env;
    const memory = planMemory({ totalBytes });
    const metrics = createMetrics();
    metrics.onMemory({ limitBytes: totalBytes, reserved: () => ({ base: memory.baseBytes }) });
    return { env, logger, metrics, memory, access: createAccess({ env, logger }) };
  } catch (error) {
    return exitWith(error);
  }
}

/** Starts the ops server before the service, so that others can see a slow start. */
async function startWithOps(
  name: string,
  start: (context: ProcessContext) => Promise<Service>,
  context: ProcessContext,
): Promise<Service> {
  const { env, logger, metrics, access } = context;
  let started: Service | undefined;
  if (env.opsPort !== undefined) await access.tokens.requireAdmin();
  const ops =
    env.opsPort === undefined
      ? undefined
      : await startOpsServer({
          host: env.host,
          port: env.opsPort,
          access,
          metrics,
          readiness: async () => started?.readiness() ?? readinessOf([`${name}: starting`]),
          liveness: () => started?.liveness?.() ?? [],
          onError: (error) => logger.error({ err: error }, 'ops request failed'),
        });
  if (ops !== undefined) logger.info({ host: env.host, port: ops.port }, 'ops server listening');
  const service = await start(context);
  started = service;
  if (ops === undefined) return service;
  const stopOps = () => ops.close({ graceMs: 0 });
  const opsService = { name: 'ops', readiness: async () => readinessOf([]), stop: stopOps };
  return composeServices(name, [opsService, service]);
}

function exitOnCrash(logger: Logger): void {
  const exit = (event: string) => (error: unknown) => {
    logger.fatal({ err: error }, event);
    process.exit(EXIT_FAILED);
  };
  process.on('uncaughtException', exit('uncaught exception'));
  process.on('unhandledRejection', exit('unhandled rejection'));
}

function exitWith(error: unknown, reportFailure?: (error: unknown) => void): never {
  if (isConfigFault(error)) {
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_USAGE);
  }
  if (reportFailure === undefined) throw error;
  reportFailure(error);
  process.exit(EXIT_FAILED);
}

/** Under npm, a Ctrl-C arrives twice within a moment: from the terminal, and from npm. */
const DEBOUNCE_MS = 1_000;

/**
 * Resolves with the first SIGTERM or SIGINT. Ignores further signals within the next second. A later Ctrl-C calls
 * `onRepeated`.
 */
function nextStopSignal(options: { onRepeated: () => void }): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAtMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      resolve(signal);
    } else if (signal === 'SIGINT' && performance.now() - firstAtMs > DEBOUNCE_MS) {
      options.onRepeated();
    }
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return promise;
}
