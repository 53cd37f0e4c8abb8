/** Threads that calls to file systems never use. They serve, for example, host name lookups. */
const OTHER_THREADS = 32;

/** The maximum number of threads for calls to file systems. Some of these calls may hang forever. */
export const FILE_CALL_THREADS = 96;

/**
 * libuv creates its pool at the first use, by default with four threads. Node loads modules without the pool, so this
 * assignment comes early enough.
 */
const wanted = Number(process.env['UV_THREADPOOL_SIZE']) || 0;
process.env['UV_THREADPOOL_SIZE'] = String(Math.max(FILE_CALL_THREADS + OTHER_THREADS, wanted));
