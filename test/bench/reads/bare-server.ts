/** Serves one page of rows from memory: the minimum work of a read. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { z } from 'zod';

const [file = '', port = ''] = process.argv.slice(2);
const rows = z.array(z.unknown()).parse(JSON.parse(await readFile(file, 'utf8')));

createServer((_request, response) => {
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(JSON.stringify({ servers: rows, metadata: { count: rows.length } }));
}).listen(Number(port), '127.0.0.1', () => {
  console.log(JSON.stringify({ level: 'info', msg: 'started' }));
});
