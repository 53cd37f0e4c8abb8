import { SynclineError } from '@syncline/contract';
import picomatch from 'picomatch';

/** A glob with braces stands for several globs. More than this number of globs would fill the memory. */
const MAX_ALTERNATIVES = 1_000;

/** Returns whether one character matches. */
type CharacterTest = (character: string) => boolean;

/** The part of a glob between two stars: a text, or a test for each character. */
type Run = string | readonly CharacterTest[];

const SYNTAX = {
  bash: true, // a single star crosses slashes
  debug: true, // otherwise, a range such as [z-a] matches nothing without an error
  dot: true,
  nonegate: true,
  noextglob: true,
  posix: true, // [!x] matches any character but x
  strictBrackets: true,
  strictSlashes: true,
} as const;

/**
 * Compiles a glob like ToolHive: the glob matches the whole name, is case-sensitive, and `*` crosses `/`. The time of a
 * match grows at most with the product of the lengths of the glob and the name. A regular expression that goes back
 * from star to star can take exponential time.
 *
 * @throws SynclineError `config-invalid` for an invalid glob
 */
export function compileGlob(glob: string): (name: string) => boolean {
  try {
    if (/(?<!\\)(?:\\\\)*\\$/.test(glob)) throw new Error('the last \\ has no character after it');
    if (UNSUPPORTED.test(glob))
      throw new Error('parentheses and ranges in braces are not supported');
    picomatch.makeRe(glob, SYNTAX);
    const alternatives = expandBraces(withoutGlobstars(glob)).map(runsOf);
    return (name) => alternatives.some((runs) => matchesRuns(runs, name));
  } catch (cause) {
    throw new SynclineError('config-invalid', `the glob ${JSON.stringify(glob)} is invalid`, {
      expected: 'only *, ?, [a-c], [!x] and {a,b} as special characters',
      cause,
    });
  }
}

/** What picomatch takes as a group, or as a range of characters. As text, it would match no name of a server. */
const UNSUPPORTED = /(?<!\\)(?:[()]|\{[^{},]*\.\.[^{},]*\})/;

/** An escaped character, a class, or any other character. */
const PART = /\\[\s\S]|\[[!^]?\]?(?:\[:\w+:\]|\\[\s\S]|[^\]\\])*\]|[\s\S]/g;

function partsOf(glob: string): readonly string[] {
  return glob.match(PART) ?? [];
}

/** Any number of whole segments. */
const SEGMENTS = '{,*/}';

/** Replaces each `**` that is a segment of its own, because it also stands for no segment. */
function withoutGlobstars(glob: string): string {
  const parts = [...partsOf(glob)];
  for (let at = 0; at < parts.length; at += 1) {
    const isSegmentStart = at === 0 || parts[at - 1] === '/' || parts[at - 1] === SEGMENTS;
    if (isSegmentStart && parts.slice(at, at + 3).join('') === '**/') parts.splice(at, 3, SEGMENTS);
  }
  return parts.join('');
}

/** Returns the globs without braces that a glob stands for. Braces without a comma are text. */
function expandBraces(glob: string): readonly string[] {
  const parts = partsOf(glob);
  const opening = parts.findIndex(
    (part, index) => part === '{' && bracesAt(parts, index) !== undefined,
  );
  const braces = bracesAt(parts, opening);
  if (braces === undefined) return [glob];
  const before = parts.slice(0, opening).join('');
  const after = parts.slice(braces.end + 1).join('');
  const expanded = braces.options.flatMap((option) => expandBraces(`${before}${option}${after}`));
  if (expanded.length > MAX_ALTERNATIVES) throw new Error('the braces stand for too many globs');
  return expanded;
}

/** Returns the options between the brace at `opening` and its closing brace. */
function bracesAt(parts: readonly string[], opening: number) {
  if (parts[opening] !== '{') return undefined;
  const options: string[] = [];
  let depth = 1;
  let option = '';
  for (let end = opening + 1; end < parts.length; end += 1) {
    const part = parts[end] ?? '';
    if (part === '{') depth += 1;
    else if (part === '}') depth -= 1;
    if (depth === 0)
      return options.length === 0 ? undefined : { end, options: [...options, option] };
    if (depth === 1 && part === ',') {
      options.push(option);
      option = '';
    } else option += part;
  }
  return undefined;
}

function runsOf(glob: string): readonly Run[] {
  const runs: string[][] = [[]];
  for (const part of partsOf(glob)) {
    if (part === '*') runs.push([]);
    else runs.at(-1)?.push(part);
  }
  return runs.map((parts) =>
    parts.every(isText) ? parts.map(textOf).join('') : parts.map(characterTest),
  );
}

function isText(part: string): boolean {
  return part !== '?' && !(part.startsWith('[') && part.length > 1);
}

function textOf(part: string): string {
  return part.startsWith('\\') ? part.slice(1) : part;
}

function characterTest(part: string): CharacterTest {
  if (part === '?') return (character) => character !== '/';
  if (isText(part)) return (character) => character === textOf(part);
  const pattern = picomatch.makeRe(part, SYNTAX);
  return (character) => pattern.test(character);
}

/** Each run between stars matches at its first possible place, so no step is ever taken back. */
function matchesRuns(runs: readonly Run[], name: string): boolean {
  const [first = ''] = runs;
  if (!matchesAt(first, name, 0)) return false;
  let at = first.length;
  if (runs.length === 1) return at === name.length;
  for (const run of runs.slice(1, -1)) {
    const found = find(run, name, at);
    if (found < 0) return false;
    at = found + run.length;
  }
  const last = runs.at(-1) ?? '';
  const lastAt = name.length - last.length;
  return lastAt >= at && matchesAt(last, name, lastAt);
}

function find(run: Run, name: string, from: number): number {
  if (typeof run === 'string') return name.indexOf(run, from);
  for (let at = from; at + run.length <= name.length; at += 1) {
    if (matchesAt(run, name, at)) return at;
  }
  return -1;
}

function matchesAt(run: Run, name: string, at: number): boolean {
  if (typeof run === 'string') return name.startsWith(run, at);
  return run.every(
    (matches, index) => at + index < name.length && matches(name.charAt(at + index)),
  );
}
