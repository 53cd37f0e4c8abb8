import type { ConfigCheck, ConfigIssue, Filter } from '@syncline/contract';
import { compileGlob } from '@syncline/rows/filter';
import { cronProblem } from './cron.ts';

/** Finds globs in filters of registries and catalogs that are not well-formed. */
export const checkGlobs: ConfigCheck = ({ registries, catalogs }) => [
  ...registries.flatMap(({ filter }, index) => globIssues(filter, ['registries', index])),
  ...catalogs.flatMap(({ filter }, index) => globIssues(filter, ['catalogs', index])),
];

/** Finds cron patterns that do not parse, or never fire. */
export const checkSchedules: ConfigCheck = ({ registries }) =>
  registries.flatMap(({ schedule }, index) => {
    const problem = schedule === undefined ? undefined : cronProblem(schedule);
    if (problem === undefined) return [];
    return [{ path: ['registries', index, 'schedule', 'pattern'], message: `expected ${problem}` }];
  });

function globIssues({ names }: Filter, path: ConfigIssue['path']): ConfigIssue[] {
  const message = 'expected a glob of *, ?, [a-c], [!x] and {a,b}';
  return (['include', 'exclude'] as const).flatMap((list) =>
    names[list].flatMap((glob, index) =>
      isGlob(glob) ? [] : [{ path: [...path, 'filter', 'names', list, index], message }],
    ),
  );
}

function isGlob(glob: string): boolean {
  try {
    compileGlob(glob);
    return true;
  } catch {
    return false;
  }
}
