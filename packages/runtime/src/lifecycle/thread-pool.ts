/** What else needs one, such as looking up host names, always finds one of the rest. */
const OTHER_THREADS = 32;

/** How many threads of this process calls to file systems may hold at once: some of them may hang for ever. */
export const FILE_CALL_THREADS = 96;

/**
 * libuv makes its pool, of four threads by default, when a process first needs one. All modules are
 * evaluated before that, save for what Node itself reads to load them, which it reads without the pool.
 */
const wanted = Number(process.env['UV_THREADPOOL_SIZE']) || 0;
process.env['UV_THREADPOOL_SIZE'] = String(Math.max(FILE_CALL_THREADS + OTHER_THREADS, wanted));
