/**
 * What is needed of `node:http`. Importing that module reads each of its exports, and so loads the HTTP
 * client behind `fetch`: 70 ms that no start of a process needs.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');
