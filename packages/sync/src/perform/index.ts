export { IngestPool } from '../ingest/ingest-pool.ts';
export { createOperations } from '../operations/operations.ts';
export { createManager } from './manager.ts';
export { previewRegistry } from './preview.ts';
