export { startWorker, type WorkerDecorator, type WorkerStores } from './start-worker.ts';
