import { SynclineError } from '@syncline/contract';
import { type Document, isScalar, Lexer, LineCounter, parseDocument, visit } from 'yaml';
import { MAX_YAML_ALIASES, MAX_YAML_BYTES, MAX_YAML_COPIES, MAX_YAML_TOKENS } from '../limits.ts';
import { type Body, BodyBytes, notJson, reasonOf } from './body-bytes.ts';
import type { ParsedValue } from './parsed-body.ts';
import { tooDeep } from './row-scanner.ts';

/**
 * Parses the JSON subset of YAML: texts, numbers, booleans, null, lists, and maps with text keys. Times stay texts.
 * Rejects tags, duplicate keys, and files with several documents.
 *
 * @throws SynclineError `source-not-json`, `source-too-deep`, `source-yaml-too-large`
 */
export function parseYaml(body: Body): ParsedValue {
  const expected =
    'one YAML document in UTF-8, without tags and other features that JSON does not have';
  const bytes = new BodyBytes(body);
  if (bytes.length > MAX_YAML_BYTES) {
    throw yamlTooLarge(`${bytes.length} bytes of YAML. The limit is ${MAX_YAML_BYTES}`);
  }
  bytes.start(expected);
  const text = bytes.textOf(bytes.slice(0, bytes.length), expected).replace(/^\ufeff/, '');
  rejectManyTokens(text);
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter,
      version: '1.2',
      schema: 'core',
      resolveKnownTags: false,
      merge: false,
      // The parser compares each key with all others of its map, which takes quadratic time.
      uniqueKeys: false,
      stringKeys: true,
      logLevel: 'error',
    });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    rejectDuplicateKeys(document, lineCounter);
    rejectManyAliases(document);
    const value: unknown = document.toJS({ maxAliasCount: MAX_YAML_COPIES });
    return {
      value,
      isSuspect: true,
      readItem: (item) => ({ value: item }),
      readWhole: () => ({ value }),
      finish: () => {},
    };
  } catch (cause) {
    const [reason = ''] = reasonOf(cause).split('\n');
    // The parser is recursive. A stack overflow means that the body nests too deep.
    if (cause instanceof RangeError || /^Maximum call stack/.test(reason)) throw tooDeep(cause);
    throw notJson(`YAML that is invalid, or that JSON cannot express (${reason})`, {
      expected,
      cause,
    });
  }
}

/** The tree of the parser needs up to 600 bytes of memory for each token, whatever the token's length. */
function rejectManyTokens(text: string): void {
  let count = 0;
  for (const _token of new Lexer().lex(text)) {
    count += 1;
    if (count > MAX_YAML_TOKENS) {
      throw yamlTooLarge(`YAML with too many tokens. The limit is ${MAX_YAML_TOKENS}`);
    }
  }
}

/** The library searches all anchors for each alias, which takes quadratic time. */
function rejectManyAliases(document: Document): void {
  let count = 0;
  visit(document, {
    Alias: () => {
      count += 1;
      if (count > MAX_YAML_ALIASES) throw new Error(`it has more than ${MAX_YAML_ALIASES} aliases`);
    },
  });
}

function yamlTooLarge(what: string): SynclineError {
  return new SynclineError('source-yaml-too-large', `the source returned ${what}`);
}

function rejectDuplicateKeys(document: Document, lineCounter: LineCounter): void {
  visit(document, {
    Map: (_key, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          const { line } = lineCounter.linePos(key.range?.[0] ?? 0);
          throw new Error(
            `the key ${String(key.value).slice(0, 40)} appears twice, at line ${line}`,
          );
        }
        seen.add(key.value);
      }
    },
  });
}
