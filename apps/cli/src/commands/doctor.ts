import type { Command } from 'commander';
import { countLevels } from '../doctor/finding.ts';
import { readStoreEnv } from '../environment.ts';
import { EndedWith, EXIT_STATUS } from '../errors.ts';
import { addExamples } from '../examples.ts';
import { formatFindings } from '../format/doctor-report.ts';
import { print, printJson } from '../output.ts';

interface DoctorOptions {
  readonly json?: true;
  readonly sources: boolean;
}

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('look for what keeps it from working well, and say what to do')
    .option('--no-sources', 'do not ask the sources of the registries')
    .option('--json', 'the findings, and how many there are of each level')
    .action(async ({ json, sources }: DoctorOptions) => {
      const env = await readStoreEnv(program);
      const { examine } = await import('../doctor/examine.ts');
      const findings = await examine({ env, sources });
      const counts = countLevels(findings);
      if (json === true) printJson({ findings, counts });
      else print(formatFindings(findings));
      if (counts.problem > 0) throw new EndedWith(EXIT_STATUS.failed);
    });
  addExamples(command, ['syncline doctor', 'syncline doctor --no-sources --json']);
}
