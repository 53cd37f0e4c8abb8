import { SynclineError } from '@syncline/contract';
import { parseDocument } from 'yaml';
import { decodeText, notJson, type ParsedValue, reasonOf, tooDeep } from './parse-json.ts';

/** Parsing YAML takes some hundred times as long as JSON. Nobody writes a larger file by hand. */
const MAX_YAML_BYTES = 8 * 1024 * 1024;
/** How many copies of anchored values there may be: anchors of anchors grow exponentially. */
const MAX_ALIAS_COUNT = 100;

/**
 * Parses the part of YAML that JSON has too: texts, numbers, booleans, null, lists, maps with texts as keys. Times
 * stay texts. Tags, duplicate keys and several documents in one file are rejected.
 *
 * @throws SynclineError `source-not-json`, `source-too-deep`, `source-too-large`
 */
export function parseYaml(body: Uint8Array): ParsedValue {
  const expected = 'one YAML document in UTF-8, limited to what JSON can express';
  if (body.length > MAX_YAML_BYTES) {
    throw new SynclineError('source-too-large', `the source gave ${body.length} bytes of YAML`, {
      expected: `at most ${MAX_YAML_BYTES}`,
    });
  }
  const text = decodeText(body, { expected });
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      resolveKnownTags: false,
      merge: false,
      uniqueKeys: true,
      stringKeys: true,
      logLevel: 'error',
    });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    return { value: document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }), isSuspect: true };
  } catch (cause) {
    const [reason = ''] = reasonOf(cause).split('\n');
    // The parser is recursive: a body too deep for its stack is too deep for us.
    if (cause instanceof RangeError || /^Maximum call stack/.test(reason)) throw tooDeep(cause);
    throw notJson(`YAML that is broken, or has more than JSON can express (${reason})`, {
      expected,
      cause,
    });
  }
}
