/** Threads that calls to file systems never take, for example for host names. */
const OTHER_THREADS = 32;

/** The most threads for calls to file systems, of which some may hang for ever. */
export const FILE_CALL_THREADS = 96;

/**
 * libuv creates its pool, by default with four threads, at the first use. All modules are evaluated before that, because
 * Node reads modules without the pool.
 */
const wanted = Number(process.env['UV_THREADPOOL_SIZE']) || 0;
process.env['UV_THREADPOOL_SIZE'] = String(Math.max(FILE_CALL_THREADS + OTHER_THREADS, wanted));
