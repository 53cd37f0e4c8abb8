export const EXIT_STATUS = { done: 0, failed: 1, usage: 2, differs: 3 } as const;

/** Ends a command that has said all that there is to say, but for its exit status. */
export class EndedWith extends Error {
  override readonly name = 'EndedWith';
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super(`ended with ${exitStatus}`);
    this.exitStatus = exitStatus;
  }
}

/** As shells have it for a program that a signal has ended: 128 and the signal's number. */
export const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof SIGNAL_STATUS;

/** A signal has ended a command before it was done. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: StopSignal;

  constructor(signal: StopSignal, message = 'interrupted') {
    super(message);
    this.signal = signal;
  }
}
