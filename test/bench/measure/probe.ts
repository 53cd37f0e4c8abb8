/**
 * Loaded into a measured process before its program (`node --import`). At the end of the process, it writes the usage
 * into the file that the environment names. SIGUSR2 resets it, so that the start does not count.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const file = process.env['BENCH_PROBE_OF_SYNCLINE'];
const RESOLUTION_MS = 5;

// Worker threads load it too.
if (isMainThread && file !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let begunAt = performance.now();
  let cpuBefore = process.cpuUsage();
  delays.enable();
  process.on('SIGUSR2', () => {
    delays.reset();
    begunAt = performance.now();
    cpuBefore = process.cpuUsage();
  });
  process.on('exit', () => {
    const cpu = process.cpuUsage(cpuBefore);
    const usage = {
      elapsedMs: performance.now() - begunAt,
      cpuMs: (cpu.user + cpu.system) / 1_000,
      // The histogram's values include its sampling interval.
      longestBlockMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
      peakRssBytes: peakRssBytes(),
    };
    writeFileSync(file, JSON.stringify(usage));
  });
}

/** Since the process started: SIGUSR2 does not reset it. */
function peakRssBytes(): number {
  try {
    const [, kilobytes] =
      /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return Number(kilobytes) * 1_024;
  } catch {
    return process.resourceUsage().maxRSS * 1_024;
  }
}
