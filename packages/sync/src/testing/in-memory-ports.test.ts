import {
  createInMemoryPlaceStore,
  createRequestBudgets,
  describeRequestBudgets,
} from '@syncline/sources/testing';
import { describeRunStore } from './describe-run-store.ts';
import { describeSnapshotStore } from './describe-snapshot-store.ts';
import { describeStatusPersistence } from './describe-status-persistence.ts';
import { createInMemoryHarness } from './store-harness.ts';

describeRunStore('the in-memory run store', async () => createInMemoryHarness());
describeSnapshotStore('the in-memory snapshot store', async () => createInMemoryHarness());
describeStatusPersistence(
  'the in-memory status persistence',
  async () => createInMemoryHarness().status,
);
describeRequestBudgets('the in-memory request budgets', async () => {
  const store = createInMemoryPlaceStore();
  return (options) => createRequestBudgets({ ...options, store });
});
