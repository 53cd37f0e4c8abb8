import { allIssues } from './issues.ts';
import { ConfigError } from './problem.ts';
import { problemsOfIssues } from './problems-of-issues.ts';
import { parseConfigText } from './read-document.ts';

const ENTRY = 'registries[0]';

/**
 * What a config file would be told of such an entry under `registries:`, one problem a text:
 * `syncPolicy.intervall: unknown key; did you mean interval?` Empty where it holds.
 *
 * @param entry plain data, as JSON gives it
 */
export function registryProblems(entry: unknown): string[] {
  try {
    const source = parseConfigText('config.json', JSON.stringify({ registries: [entry] }));
    return problemsOfIssues(source, allIssues(source.data)).map((problem) => {
      const path = problem.path.replace(ENTRY, '').replace(/^\./, '');
      const suggestion = problem.suggestion && `; did you mean ${problem.suggestion}?`;
      return `${path === '' ? '' : `${path}: `}${problem.message}${suggestion ?? ''}`;
    });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message);
    throw error;
  }
}
