import widthOf from 'string-width';

export { widthOf };

/** Cuts an unstyled text to a width. A cut text ends with `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return width < 1 ? '' : `${fitting(text, width - 1)}…`;
}

/** Returns the longest prefix of a text that fits into a width. */
export function fitting(text: string, width: number): string {
  let taken = '';
  let left = width;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    taken += segment;
  }
  return taken;
}
