import type { HistoryEvent } from './events.ts';
import type { History } from './history.ts';
import { fencedWrites } from './rules/fenced-writes.ts';
import { noFlood } from './rules/no-flood.ts';
import { nothingLeft } from './rules/nothing-left.ts';
import { onTime } from './rules/on-time.ts';
import { oneHolder } from './rules/one-holder.ts';
import { recovery } from './rules/recovery.ts';
import { removal } from './rules/removal.ts';
import { requestsAnswered } from './rules/requests-answered.ts';
import { scheduled } from './rules/scheduled.ts';
import { transitions } from './rules/transitions.ts';
import { upstreamAfterLoss } from './rules/upstream-after-loss.ts';
import { wholeSnapshots } from './rules/whole-snapshots.ts';
import { DEFAULT_LIMITS, type Limits, type Rule, type Violation } from './violation.ts';

/** All rules that a history must obey. */
export const RULES: readonly Rule[] = [
  oneHolder,
  fencedWrites,
  wholeSnapshots,
  onTime,
  requestsAnswered,
  noFlood,
  removal,
  transitions,
  upstreamAfterLoss,
  recovery,
  scheduled,
  nothingLeft,
];

export interface Broken extends Violation {
  readonly rule: string;
}

/** Returns the violations of all rules in a history; an empty list if there are none. */
export function checkHistory(history: History, limits: Partial<Limits> = {}): Broken[] {
  const all = { ...DEFAULT_LIMITS, ...limits };
  return RULES.flatMap(({ name, find }) =>
    find(history, all).map((violation) => ({ rule: name, ...violation })),
  );
}

const CONTEXT_MS = 2_000;
const MOST_LINES = 40;

/** Formats a violation with the events that prove it, and with the faults around that time. */
export function formatViolation({ rule, message, evidence }: Broken, history: History): string {
  const times = evidence.map(({ atMs }) => atMs);
  const fromMs = Math.min(...times) - CONTEXT_MS;
  const toMs = Math.max(...times) + CONTEXT_MS;
  const around = history.events.filter((event) => isDoneToIt(event, { fromMs, toMs }));
  const shown = [...new Set([...evidence, ...around])].sort((one, other) => one.atMs - other.atMs);
  const lines = shown.slice(0, MOST_LINES).map((event) => formatEvent(event, fromMs + CONTEXT_MS));
  const rest = shown.length - lines.length;
  return [`${rule}: ${message}`, ...lines, ...(rest > 0 ? [`  … and ${rest} more`] : [])].join(
    '\n',
  );
}

function isDoneToIt(event: HistoryEvent, { fromMs, toMs }: { fromMs: number; toMs: number }) {
  if (event.atMs > toMs) return false;
  if (event.kind === 'fault') return (event.untilMs ?? event.atMs) >= fromMs;
  const isOfProcess = event.kind === 'process-started' || event.kind === 'process-ended';
  return isOfProcess && event.atMs >= fromMs;
}

function formatEvent(event: HistoryEvent, originMs: number): string {
  const { atMs, wallMs: _, kind, process, ...fields } = event;
  const at = `${((atMs - originMs) / 1_000).toFixed(3)} s`.padStart(10);
  const shown = Object.entries(fields).map(([name, value]) => {
    const text = name.endsWith('AtMs') || name === 'untilMs' ? secondsFrom(value, originMs) : value;
    return `${name}=${Array.isArray(text) ? formatList(text) : text}`;
  });
  return `  ${at}  ${process.padEnd(12)} ${kind} ${shown.join(' ')}`;
}

const MOST_ITEMS = 5;

function formatList(items: readonly unknown[]): string {
  const rest = items.length - MOST_ITEMS;
  return items.slice(0, MOST_ITEMS).join(',') + (rest > 0 ? ` and ${rest} more` : '');
}

function secondsFrom(value: unknown, originMs: number): unknown {
  return typeof value === 'number' ? `${((value - originMs) / 1_000).toFixed(3)}s` : value;
}
