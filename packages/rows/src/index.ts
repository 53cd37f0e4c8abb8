export { byName } from './by-name.ts';
export { latestFlags, pickLatest } from './latest.ts';
export * from './limits.ts';
export type { Body } from './parse/body-bytes.ts';
export type { BodyFormat, BodyOrigin, BodySummary, ParsedBody } from './parse/parse-body.ts';
export * from './row.ts';
export * from './row-codec.ts';
