import { type Fault, megabytes, milliseconds, type Observations, p99 } from './verdict.ts';

/** A finished attack. */
export interface Played {
  readonly name: string;
  /** Absent if the harness itself failed. */
  readonly observed?: Observations;
  readonly faults: readonly Fault[];
}

const HEAD = [
  'attack',
  'verdict',
  'memory, MB (limit)',
  'late',
  'reads p99 (before)',
  'health p99',
];

/** Formats one line for each attack, and below it each broken promise. */
export function formatTable(played: readonly Played[]): string {
  const rows = [HEAD, ...played.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const [head = '', ...lines] = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const faulty = played.map(({ faults }) =>
    faults.map(({ promise, found }) => `      ${promise}: ${found}`),
  );
  return [head, ...lines.flatMap((line, index) => [line, ...(faulty[index] ?? [])])].join('\n');
}

function rowOf({ name, observed, faults }: Played): string[] {
  const verdict = faults.length === 0 ? 'holds' : 'FAILS';
  if (observed === undefined) return [name, verdict];
  const { memory, latestMs, undisturbed, reads, liveness } = observed;
  const used = memory
    .filter(({ role }) => role !== 'scheduler')
    .map(({ role, peakBytes }) => `${role} ${megabytes(peakBytes)}`);
  return [
    name,
    verdict,
    `${used.join(', ')} (${megabytes(memory[0]?.limitBytes ?? 0)})`,
    `${Math.max(0, Math.round(latestMs / 1_000))} s`,
    `${milliseconds(p99(reads))} (${milliseconds(p99(undisturbed))})`,
    milliseconds(p99(liveness)),
  ];
}
