import { describe, expect, test } from 'vitest';
import { type Slot, Slots } from './slots.ts';

const never = new AbortController().signal;

describe('Slots', () => {
  test('so many are free, and no more', () => {
    const slots = new Slots(2);
    expect(slots.tryTake()).toBeDefined();
    const second = slots.tryTake();
    expect(slots.tryTake()).toBeUndefined();
    second?.release();
    expect(slots.tryTake()).toBeDefined();
  });

  test('a slot that is given back twice is one slot', () => {
    const slots = new Slots(1);
    const slot = slots.tryTake();
    slot?.release();
    slot?.release();
    expect(slots.tryTake()).toBeDefined();
    expect(slots.tryTake()).toBeUndefined();
  });

  test('who waits gets one in the order of asking', async () => {
    const slots = new Slots(1);
    const first = slots.tryTake();
    const order: string[] = [];
    const wait = (name: string) =>
      slots.take(never).then((slot: Slot) => {
        order.push(name);
        slot.release();
      });
    const waiting = Promise.all([wait('a'), wait('b'), wait('c')]);
    // Whoever comes now comes after those who wait.
    expect(slots.tryTake()).toBeUndefined();
    first?.release();
    await waiting;
    expect(order).toEqual(['a', 'b', 'c']);
    expect(slots.tryTake()).toBeDefined();
  });

  test('who stops waiting takes none', async () => {
    const slots = new Slots(1);
    const first = slots.tryTake();
    const abort = new AbortController();
    const left = slots.take(abort.signal);
    const stays = slots.take(never);
    abort.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    first?.release();
    (await stays).release();
    expect(slots.tryTake()).toBeDefined();
  });

  test('who does not want to wait any more is told at once', async () => {
    const slots = new Slots(1);
    slots.tryTake();
    await expect(slots.take(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});
