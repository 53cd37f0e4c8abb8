import { z } from 'zod';
import type { Lifetime } from '../../support/lifetime.ts';
import { startProcess } from '../../support/processes.ts';
import { PROGRAMS } from '../../support/system.ts';
import type { AttackedFleet } from '../fleet.ts';

const RUNS_READ = 20;
/** It only ends a doctor that hangs, which then has found nothing. */
const DOCTOR_TIMEOUT_MS = 60_000;

const runSchema = z.looseObject({
  outcome: z.string(),
  error: z.looseObject({ code: z.string() }).optional(),
});
const findingsSchema = z.looseObject({
  findings: z.array(
    z.looseObject({
      check: z.string(),
      level: z.enum(['ok', 'warning', 'problem']),
      found: z.string(),
      why: z.string().optional(),
    }),
  ),
});

/** Returns how the runs of a registry ended: the error code of a failed run, or else the outcome. */
export async function runEndings(
  { redis, keys }: AttackedFleet,
  registry: string,
): Promise<readonly string[]> {
  const [entries, status] = await Promise.all([
    redis.xrevrange(keys.runs(registry), '+', '-', 'COUNT', RUNS_READ),
    redis.hgetall(keys.status(registry)),
  ]);
  const runs = entries.map(([, fields]) => {
    const { outcome, error } = runSchema.parse(JSON.parse(fields[fields.indexOf('run') + 1] ?? ''));
    return error?.code ?? outcome;
  });
  // A run whose process was killed is named in the status only.
  const ofStatus = status['errorCode'];
  return [...new Set([...runs, ...(ofStatus === undefined ? [] : [ofStatus])])];
}

/** Runs `syncline doctor`, and returns the text of each finding that is not `ok`. */
export async function doctorFindings(
  { env, config }: AttackedFleet,
  lifetime: Lifetime,
): Promise<readonly string[]> {
  const doctor = await startProcess({
    name: 'syncline doctor',
    entry: PROGRAMS.cli,
    args: ['doctor', '--no-sources', '--json'],
    directory: config.directory,
    env: { ...env, SYNCLINE_OPS_PORT: '' },
    lifetime,
  });
  const hanging = setTimeout(() => doctor.signal('SIGKILL'), DOCTOR_TIMEOUT_MS);
  await doctor.exited;
  clearTimeout(hanging);
  const text = doctor.output.stdout.join('\n');
  if (!text.startsWith('{')) return [];
  const { findings } = findingsSchema.parse(JSON.parse(text));
  return findings
    .filter(({ level }) => level !== 'ok')
    .map(({ check, found, why = '' }) => `${check}: ${found}; ${why}`);
}
