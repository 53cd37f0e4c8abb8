export { parseBody } from './parse-body.ts';
export { readRow } from './read-row.ts';
