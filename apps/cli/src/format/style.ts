import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

let isWanted = true;

/** Turns colors off, for `--no-color`. Node itself obeys NO_COLOR, FORCE_COLOR and TERM. */
export function turnColorsOff(): void {
  isWanted = false;
}

/** Styles a text if `stream` is a terminal that shows colors. */
export function paint(
  style: Style,
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return isWanted ? styleText(style, text, { stream }) : text;
}
