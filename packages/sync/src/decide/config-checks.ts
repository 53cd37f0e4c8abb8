import type { ConfigCheck, ConfigIssue, Filter } from '@syncline/contract';
import { compileGlob } from '@syncline/rows/filter';
import { cronProblem } from './cron.ts';

/** Finds invalid globs in the filters of registries and catalogs. */
export const checkGlobs: ConfigCheck = ({ registries, catalogs }) => [
  ...registries.flatMap(({ filter }, index) => globIssues(filter, ['registries', index])),
  ...catalogs.flatMap(({ filter }, index) => globIssues(filter, ['catalogs', index])),
];

/** Finds cron patterns that are invalid or never fire. */
export const checkSchedules: ConfigCheck = ({ registries }) =>
  registries.flatMap(({ schedule }, index) => {
    const problem = schedule === undefined ? undefined : cronProblem(schedule);
    if (problem === undefined) return [];
    return [{ path: ['registries', index, 'schedule', 'pattern'], message: problem }];
  });

function globIssues({ names }: Filter, path: ConfigIssue['path']): ConfigIssue[] {
  const message = 'the glob is invalid. Use *, ?, [a-c], [!x] and {a,b} as special characters';
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
