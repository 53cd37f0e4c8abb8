import { describeStatusPersistence } from '../testing/describe-status-persistence.ts';
import { createInMemoryStatusPersistence } from './in-memory-status-persistence.ts';

describeStatusPersistence('the status in memory', async () => createInMemoryStatusPersistence());
