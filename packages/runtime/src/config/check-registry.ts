import { type LoadConfigOptions, parseConfig } from './load-config.ts';
import { ConfigError } from './problem.ts';

const ENTRY = 'registries[0]';

/**
 * What a config file would be told of such an entry under `registries:`, one problem a text:
 * `syncPolicy.intervall: unknown key; did you mean interval?` Empty where it holds.
 *
 * @param entry plain data, as JSON gives it
 */
export function registryProblems(entry: unknown, options: LoadConfigOptions = {}): string[] {
  try {
    parseConfig('config.json', JSON.stringify({ registries: [entry] }), options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => {
      const path = problem.path.replace(ENTRY, '').replace(/^\./, '');
      const suggestion = problem.suggestion && `; did you mean ${problem.suggestion}?`;
      return `${path === '' ? '' : `${path}: `}${problem.message}${suggestion ?? ''}`;
    });
  }
}
