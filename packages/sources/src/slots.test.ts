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

  test('one that is lent is somebody else’s until it is free again', async () => {
    const slots = new Slots(1, { maxLent: 1 });
    const first = slots.tryTake();
    expect(first?.lend()).toBe(true);
    const second = slots.tryTake();
    expect(second).toBeDefined();
    expect(second?.lend()).toBe(false);
    const back = first?.takeBack(never);
    second?.release();
    await back;
    expect(slots.tryTake()).toBeUndefined();
    first?.release();
    expect(slots.tryTake()).toBeDefined();
    expect(slots.tryTake()).toBeUndefined();
  });

  test('one that is given back while it is lent is not free twice', async () => {
    const slots = new Slots(1, { maxLent: 1 });
    const first = slots.tryTake();
    first?.lend();
    first?.release();
    const second = slots.tryTake();
    expect(second?.lend()).toBe(true);
    await second?.takeBack(never);
    expect(slots.tryTake()).toBeUndefined();
  });

  test('whoever stops waiting to have it back has lent it still', async () => {
    const slots = new Slots(1, { maxLent: 1 });
    const first = slots.tryTake();
    first?.lend();
    const second = slots.tryTake();
    await expect(first?.takeBack(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    first?.release();
    second?.release();
    expect(slots.tryTake()).toBeDefined();
    expect(slots.tryTake()).toBeUndefined();
  });
});
