import { type Finding, ok, problem, warning } from './finding.ts';

const OFF_MS = 1_000;
const FAR_OFF_MS = 10_000;

/** How far this machine's clock goes before that of Redis, in milliseconds. */
export function checkClock(aheadMs: number): Finding {
  const check = 'clock';
  const off = Math.abs(aheadMs);
  const found = `${formatOff(off)} ${aheadMs < 0 ? 'behind' : 'ahead of'} the clock of Redis`;
  if (off <= OFF_MS) return ok(check, found);
  const trouble = {
    found,
    why: 'schedules follow the clocks of workers, and leases follow the clock of Redis',
    advice: 'synchronise both machines with a time server, for example with chrony',
  };
  return off > FAR_OFF_MS ? problem(check, trouble) : warning(check, trouble);
}

function formatOff(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
