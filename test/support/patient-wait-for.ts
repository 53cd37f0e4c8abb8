import { vi } from 'vitest';
import { WAITING_MS } from './until.ts';

// vi.waitFor gives up after one second by default, and Vitest 5.1 has no setting for that.
const { waitFor } = vi;
vi.waitFor = (callback, options) =>
  waitFor(callback, { ...(typeof options === 'object' && options), timeout: WAITING_MS });
