export const EXIT_STATUS = { done: 0, failed: 1, usage: 2, differs: 3 } as const;

/** Ends a command that has printed everything, with an exit status. */
export class EndedWith extends Error {
  override readonly name = 'EndedWith';
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super(`ended with ${exitStatus}`);
    this.exitStatus = exitStatus;
  }
}

/** The exit statuses that shells give to a program that a signal ended: 128 plus its number. */
export const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof SIGNAL_STATUS;

/** Says that a signal ended a command early. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: StopSignal;

  constructor(signal: StopSignal, message = 'interrupted') {
    super(message);
    this.signal = signal;
  }
}
