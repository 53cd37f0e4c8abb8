import type { Command } from 'commander';
import { examine } from '../doctor/examine.ts';
import { countLevels } from '../doctor/finding.ts';
import { readStoreEnv } from '../environment.ts';
import { EndedWith, EXIT_STATUS } from '../errors.ts';
import { formatFindings } from '../format/doctor-report.ts';
import { print, printJson } from '../output.ts';

export interface DoctorOptions {
  readonly json?: true;
  readonly sources: boolean;
}

/** Checks the installation and shows the findings. @throws EndedWith if a finding is a problem */
export async function showFindings(
  program: Command,
  { json, sources }: DoctorOptions,
): Promise<void> {
  const env = await readStoreEnv(program);
  const findings = await examine({ env, sources });
  const counts = countLevels(findings);
  if (json === true) printJson({ findings, counts });
  else print(formatFindings(findings));
  if (counts.problem > 0) throw new EndedWith(EXIT_STATUS.failed);
}
