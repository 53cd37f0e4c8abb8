export { byName } from './by-name.ts';
export { compileFilter, compileGlob, type FilterPredicate } from './filter.ts';
export { latestFlags, pickLatest } from './latest.ts';
export {
  type BodyFormat,
  type BodyOrigin,
  type BodySummary,
  type ParsedBody,
  parseBody,
} from './parse/parse-body.ts';
export * from './row.ts';
export * from './row-codec.ts';
