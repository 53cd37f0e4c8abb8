export { type GenerateOptions, generateRows, generateUnordered } from './rows/generate.ts';
export { ourMeta, withoutOurs } from './rows/ours.ts';
export {
  loadConflictingServers,
  loadOfficialBase,
  loadOfficialChanges,
  loadToolhiveExample,
  loadTruncatedScrape,
  NO_REAL_DATA,
  type RealServer,
  realDataDirectory,
  type ToolhiveExample,
} from './rows/real-data.ts';
export { type OfficialRow, rowKey } from './rows/row.ts';
