export const EXIT_STATUS = { done: 0, failed: 1, usage: 2, differs: 3 } as const;

/**
 * Thrown by a command that has printed all of its output. The program then ends with this exit
 * status.
 */
export class EndedWith extends Error {
  override readonly name = 'EndedWith';
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super(`ended with ${exitStatus}`);
    this.exitStatus = exitStatus;
  }
}

/**
 * The exit statuses that shells report if a signal ended the program: 128 plus the number of the
 * signal.
 */
export const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof SIGNAL_STATUS;

/** Thrown if a signal interrupts a command. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: StopSignal;

  constructor(signal: StopSignal, message = 'interrupted') {
    super(message);
    this.signal = signal;
  }
}
