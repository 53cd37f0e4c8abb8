export { startMonitor } from './start-monitor.ts';
