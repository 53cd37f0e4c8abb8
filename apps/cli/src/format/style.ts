import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

let isWanted = true;

/** For `--no-color`. What NO_COLOR, FORCE_COLOR and TERM say is looked at besides, by Node. */
export function turnColorsOff(): void {
  isWanted = false;
}

/** The text in that style where `stream` is a terminal that shows it; else the text. */
export function paint(
  style: Style,
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return isWanted ? styleText(style, text, { stream }) : text;
}
