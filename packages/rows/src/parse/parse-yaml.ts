import { SynclineError } from '@syncline/contract';
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { decodeText, notJson, type ParsedValue, reasonOf, tooDeep } from './parse-json.ts';

/** Parsing YAML takes about a hundred times as long as JSON. Hand-written files are smaller than this. */
const MAX_YAML_BYTES = 8 * 1024 * 1024;
/** How many copies of anchored values a document may have. Nested anchors grow exponentially. */
const MAX_ALIAS_COUNT = 100;

/**
 * Parses the JSON subset of YAML: texts, numbers, booleans, null, lists, and maps with text keys. Times stay texts.
 * Rejects tags, duplicate keys, and files with several documents.
 *
 * @throws SynclineError `source-not-json`, `source-too-deep`, `source-too-large`
 */
export function parseYaml(body: Uint8Array): ParsedValue {
  const expected =
    'one YAML document in UTF-8, without tags and other features that JSON does not have';
  if (body.length > MAX_YAML_BYTES) {
    throw new SynclineError(
      'source-too-large',
      `the source returned ${body.length} bytes of YAML. The limit is ${MAX_YAML_BYTES}`,
    );
  }
  const text = decodeText(body, { expected });
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
    return { value: document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }), isSuspect: true };
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
