import { SynclineError } from '@syncline/contract';
import { parseDocument } from 'yaml';
import { decodeText, notJson, type ParsedValue, reasonOf, tooDeep } from './parse-json.ts';

/** YAML takes some hundred times as long as JSON: what is larger is no file that people write. */
const MAX_YAML_BYTES = 8 * 1024 * 1024;
/** So many copies of anchored values at most: anchors of anchors would grow without bound. */
const MAX_ALIAS_COUNT = 100;

/**
 * The part of YAML that JSON has too: texts, numbers, booleans, null, lists, maps with texts as keys. Times
 * stay texts. Tags of its own, keys that come twice and several documents in one are refused.
 *
 * @throws SynclineError `source-not-json`, `source-too-deep`, `source-too-large`
 */
export function parseYaml(body: Uint8Array): ParsedValue {
  const expected = 'one document of YAML in UTF-8, with nothing in it that JSON has not';
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
    // The parser calls itself for each level: what is too deep for it is too deep for us.
    if (cause instanceof RangeError || /^Maximum call stack/.test(reason)) throw tooDeep(cause);
    throw notJson(`YAML that is broken, or more than JSON (${reason})`, { expected, cause });
  }
}
