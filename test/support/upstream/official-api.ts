import { type Answer, problem } from './answer.ts';
import type { Corpus, Entry } from './corpus.ts';
import { type ListQuery, parseIncludeDeleted, parseListQuery } from './query.ts';

const SERVERS = /^\/v0(?:\.1)?\/servers$/;
const VERSIONS = /^\/v0(?:\.1)?\/servers\/([^/]+)\/versions(?:\/([^/]+))?$/;

/**
 * Returns the answer of the official MCP registry. `target` is the raw target of the request. A name contains an
 * encoded slash, which must not be decoded before the path is split.
 */
export function answer(corpus: Corpus, method: string, target: string): Answer {
  const [path = '', search = ''] = target.split('?', 2);
  const parameters = new URLSearchParams(search);
  if (/%00/i.test(target)) return problem(400, 'NUL bytes are not allowed');
  if (path.length > 1 && path.endsWith('/')) {
    const query = search === '' ? '' : `?${search}`;
    return { kind: 'redirect', location: `${path.slice(0, -1)}${query}` };
  }
  const list = SERVERS.test(path);
  const versions = VERSIONS.exec(path);
  if (!list && versions === null) return problem(404, 'Endpoint not found');
  if (method !== 'GET') return problem(405, `Method ${method} not allowed`);
  if (versions === null) return answerList(corpus, parameters);

  const includeDeleted = parseIncludeDeleted(parameters);
  if (includeDeleted === undefined) return problem(422, 'validation failed');
  const name = decode(versions[1]);
  const version = decode(versions[2]);
  if (name === undefined) return problem(400, 'Invalid server name encoding');
  const shown = corpus
    .versionsOf(name)
    .filter(({ status }) => includeDeleted || status !== 'deleted')
    .sort(newestFirst);
  return versions[2] === undefined ? answerVersions(shown) : answerVersion(shown, version);
}

function answerList(corpus: Corpus, parameters: URLSearchParams): Answer {
  const parsed = parseListQuery(parameters);
  if (!parsed.ok) return parsed.answer;
  const { query } = parsed;
  const page: Entry[] = [];
  for (const entry of corpus.entriesAfter(query.after)) {
    if (!matches(entry, query)) continue;
    page.push(entry);
    if (page.length === query.limit) break;
  }
  const last = page.at(-1);
  // A full page may be the last one. Then its cursor leads to an empty page.
  const full = page.length === query.limit && last !== undefined;
  return {
    kind: 'page',
    page: {
      rows: page.map(({ json }) => json),
      nextCursor: full ? `${last.name}:${last.version}` : undefined,
    },
  };
}

function matches(entry: Entry, query: ListQuery): boolean {
  if (!query.includeDeleted && entry.status === 'deleted') return false;
  if (query.updatedSince !== undefined && entry.updatedAt <= query.updatedSince) return false;
  if (query.search !== undefined && !entry.searched.includes(query.search)) return false;
  if (query.version === undefined) return true;
  return query.version === 'latest' ? entry.isLatest : entry.version === query.version;
}

function answerVersions(shown: readonly Entry[]): Answer {
  if (shown.length === 0) return problem(404, 'Server not found');
  return { kind: 'page', page: { rows: shown.map(({ json }) => json) } };
}

/** Returns the row marked `latest`. If that row is deleted and hidden, returns the newest of the other rows. */
function answerVersion(shown: readonly Entry[], version: string | undefined): Answer {
  const found =
    version === 'latest'
      ? (shown.find(({ isLatest }) => isLatest) ?? shown[0])
      : shown.find((entry) => entry.version === version);
  return found === undefined ? problem(404, 'Server not found') : { kind: 'row', json: found.json };
}

function newestFirst(left: Entry, right: Entry): number {
  if (left.publishedAt === right.publishedAt) return 0;
  return left.publishedAt < right.publishedAt ? 1 : -1;
}

function decode(segment: string | undefined): string | undefined {
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
