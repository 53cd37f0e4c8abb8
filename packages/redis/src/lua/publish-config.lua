--[[
Puts a config in force, unless another process has put one in force since the caller read the state.

KEYS  1 pointer   2 edition   3 document   4 document that the pointer names until now, if it is another one
ARGV  1 expected value of the pointer   2 expected value of the edition   3 new edition   4 digest   5 document
      6 time to live of the replaced document (s)
Returns  1 if the config is in force, 0 if the pointer or the edition is not the expected one

A missing value, and a value of another type, counts as ''.
]]
local function valueOf(key)
  if redis.call('TYPE', key).ok ~= 'string' then return '' end
  return redis.call('GET', key)
end
if valueOf(KEYS[1]) ~= ARGV[1] or valueOf(KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[3], ARGV[5])
redis.call('SET', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], ARGV[4])
if KEYS[4] then redis.call('EXPIRE', KEYS[4], ARGV[6]) end
return 1
