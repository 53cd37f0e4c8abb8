/** The part of a terminal that a screen needs. */
export type ScreenStream = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows'>;

/** A terminal that is drawn upon as a whole, and given back as it was. */
export interface Screen {
  /** Shows these lines and nothing else; what does not fit is not seen. */
  draw(lines: readonly string[]): void;
  /** May be called again. */
  close(): void;
}

/** Its other buffer, so that what was there comes back; no cursor; lines that are too long are cut. */
const OPEN = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const CLOSE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
/** All at once, where the terminal can: half a frame is not seen. */
const BEGIN_FRAME = '\x1b[?2026h';
const END_FRAME = '\x1b[?2026l';

export function openScreen(stream: ScreenStream): Screen {
  let isOpen = true;
  stream.write(OPEN);
  return {
    draw: (lines) => {
      if (!isOpen) return;
      // Written over and cleared line by line: clearing all first would flicker.
      const text = lines
        .slice(0, stream.rows)
        .map((line) => `${line}${CLEAR_LINE}`)
        .join('\r\n');
      stream.write(`${BEGIN_FRAME}${HOME}${text}${CLEAR_BELOW}${END_FRAME}`);
    },
    close: () => {
      if (isOpen) stream.write(CLOSE);
      isOpen = false;
    },
  };
}
