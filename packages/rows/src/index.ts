export { byName } from './by-name.ts';
export { compileFilter, compileGlob, type FilterPredicate } from './filter.ts';
export { latestFlags, pickLatest } from './latest.ts';
export * from './parse/parse-body.ts';
export * from './row.ts';
export * from './row-codec.ts';
