/** Whether what is written to the stream is seen on a terminal on which a cursor can be moved. */
export function isScreen(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env['TERM'] !== 'dumb';
}
