import { expect, test } from 'vitest';
import { addressGroup } from './address-group.ts';

test.each([
  ['127.0.0.2', '127.0.0.2'],
  ['::ffff:127.0.0.2', '127.0.0.2'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
  ['unknown', 'unknown'],
])('%s is in the group %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});
