import stringWidth from 'string-width';

/** How many columns of a terminal a text takes; colours take none, and some characters take two. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** As much of an uncoloured text as fits, and `…` where that is not all of it. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return width < 1 ? '' : `${fitting(text, width - 1)}…`;
}

/** The longest beginning of a text that fits. */
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
