import type { Command } from 'commander';
import type { DoctorOptions } from '../actions/show-findings.ts';
import { addExamples } from '../examples.ts';

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('check the installation for problems and suggest fixes')
    .option('--no-sources', 'do not ask the sources of the registries')
    .option('--json', 'print the findings and a count for each level')
    .action(async (options: DoctorOptions) => {
      const { showFindings } = await import('../actions/show-findings.ts');
      await showFindings(program, options);
    });
  addExamples(command, ['syncline doctor', 'syncline doctor --no-sources --json']);
}
