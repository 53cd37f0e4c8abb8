import { z } from 'zod';
import type { ProcessHandle } from './processes.ts';

/** The environment of a process whose metrics a test reads. The ops server takes any free port. */
export const OPS_ENV = { SYNCLINE_OPS_PORT: '0' } as const;

const listeningSchema = z.looseObject({ port: z.int() });

/** Returns the URL of the ops server of a process that was started with {@link OPS_ENV}. */
export async function opsUrl(process: ProcessHandle): Promise<string> {
  const line = await process.waitForLog(({ msg }) => msg === 'ops server listening');
  return `http://127.0.0.1:${listeningSchema.parse(line).port}`;
}

/** The samples in the text format of Prometheus: a map from `name{label="value"}` to the value. */
export type Samples = ReadonlyMap<string, number>;

export async function readMetrics(url: string): Promise<Samples> {
  const response = await fetch(`${url}/metrics`);
  if (response.status !== 200) throw new Error(`${url}/metrics answered ${response.status}`);
  const lines = (await response.text()).split('\n').filter((line) => /^[a-z]/i.test(line));
  return new Map(
    lines.map((line): [string, number] => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/**
 * Returns the sum of all samples with this name whose labels contain all given labels, such as
 * `outcome="failed"`.
 */
export function sumOf(samples: Samples, name: string, ...labels: string[]): number {
  let sum = 0;
  for (const [sample, value] of samples) {
    const isOfName = sample === name || sample.startsWith(`${name}{`);
    if (isOfName && labels.every((label) => sample.includes(label))) sum += value;
  }
  return sum;
}
