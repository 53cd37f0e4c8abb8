import { vi } from 'vitest';
import { WAITING_MS } from './until.ts';

// By default, vi.waitFor gives up after one second, and Vitest 5.1 has no setting to change that.
const { waitFor } = vi;
vi.waitFor = (callback, options) =>
  waitFor(callback, { ...(typeof options === 'object' && options), timeout: WAITING_MS });
