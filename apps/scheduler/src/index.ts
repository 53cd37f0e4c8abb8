export { startScheduler } from './start-scheduler.ts';
