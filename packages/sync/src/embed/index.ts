export type { ConfigInput, Logger, SyncStatus } from '@syncline/contract';
export type { SnapshotReader } from '@syncline/snapshot';
export { createManager, type Manager, type ManagerDependencies } from '../perform/manager.ts';
export type { RunObserver } from '../ports/run-observer.ts';
export type { StatusPersistence } from '../ports/status-persistence.ts';
export type { OpenCatalog } from './catalogs.ts';
export {
  type CreateCoordinatorOptions,
  createCoordinator,
  type EmbeddedCoordinator,
} from './create-coordinator.ts';
export type { CreateManager } from './open-manager.ts';
export {
  createFileStatusPersistence,
  createInMemoryStatusPersistence,
} from './status-persistence.ts';
