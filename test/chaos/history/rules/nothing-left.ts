import type { Rule } from '../violation.ts';

/** The rule that everything that was started has ended. */
export const nothingLeft: Rule = {
  name: 'nothing-left',
  promise: 'no process and no key is left behind, and each process ends when and as it should',
  find: (history) => [
    ...history.of('left-behind').map((event) => ({
      message: `${event.what} ${event.name} was left behind`,
      evidence: [event],
    })),
    ...history
      .of('process-ended')
      .filter(({ how }) => how === 'by itself' || how === 'out of order')
      .map((event) => ({ message: `${event.name} ended ${event.how}`, evidence: [event] })),
    ...history
      .of('process-started')
      .filter((started) => {
        const starts = history.of('process-started').filter(({ name }) => name === started.name);
        const ends = history.of('process-ended').filter(({ name }) => name === started.name);
        return starts.indexOf(started) >= ends.length;
      })
      .map((started) => ({
        message: `${started.name} was started and never ended`,
        evidence: [started],
      })),
  ],
};
