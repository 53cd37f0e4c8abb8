import type { ConfigPath } from '../form.ts';
import { locate } from '../locate.ts';
import { type ConfigProblem, type ConfigWarning, formatPath } from '../problem.ts';
import type { ConfigDocument } from '../read-document.ts';
import { nearest } from '../suggest.ts';
import { IGNORED_KEYS } from './keys.ts';

/** What there is to say of a file while it is translated. */
export class Remarks {
  readonly problems: ConfigProblem[] = [];
  readonly #source: ConfigDocument;
  readonly #warnings: ConfigWarning[] = [];
  /** Where each key that does not apply stands, in the order of the file. */
  readonly #ignored = new Map<string, ConfigPath[]>();

  constructor(source: ConfigDocument) {
    this.#source = source;
  }

  /** One for each key that does not apply, however often it is there. */
  get warnings(): ConfigWarning[] {
    const ignored = [...this.#ignored].map(([key, [first = [], ...more]]) => {
      const others = more.length === 0 ? '' : `; also in ${more.map(formatPath).join(', ')}`;
      return this.#at(first, `${IGNORED_KEYS[key]}${others}`);
    });
    return [...this.#warnings, ...ignored];
  }

  warn(path: ConfigPath, message: string): void {
    this.#warnings.push(this.#at(path, message));
  }

  /** Notes which of these keys the block at `path` has, though they do not apply. */
  ignore(path: ConfigPath, block: object, keys: readonly string[]): void {
    for (const key of keys) {
      if (!Object.hasOwn(block, key)) continue;
      this.#ignored.set(key, [...(this.#ignored.get(key) ?? []), [...path, key]]);
    }
  }

  refuse(path: ConfigPath, { expected, found }: { expected: string; found: string }): void {
    const message = `expected ${expected}, found ${found}`;
    this.problems.push({ ...this.#at(path, message), expected, found });
  }

  refuseUnknown(path: ConfigPath, block: object, known: readonly string[]): void {
    for (const key of Object.keys(block)) {
      if (known.includes(key)) continue;
      const expected = `one of ${known.join(', ')}`;
      const suggestion = nearest(key, known);
      const told = { expected, found: key };
      this.problems.push(
        suggestion === undefined
          ? { ...this.#at([...path, key], `unknown key; expected ${expected}`), ...told }
          : { ...this.#at([...path, key], 'unknown key'), ...told, suggestion },
      );
    }
  }

  #at(path: ConfigPath, message: string): ConfigWarning {
    const { file } = this.#source;
    const place = locate(this.#source, path, { at: 'key' });
    return { file, ...place, path: formatPath(path), message };
  }
}
