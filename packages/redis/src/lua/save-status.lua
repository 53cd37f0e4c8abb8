--[[
Changes fields of a status if the stored token is the expected one.

KEYS  1 status hash
ARGV  1 expected token '<term>:<owner>', '' if no token may be stored
      2 number of fields to set   then name, value, …   then names of fields to remove
Returns  1 if the fields were changed, 0 if another token is stored
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
local token = ''
if stored[1] then token = stored[1] .. ':' .. (stored[2] or '') end
if token ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], '') -- also works in a full Redis, see acquire.lua
local setEnd = 2 + 2 * tonumber(ARGV[2])
if setEnd > 2 then redis.call('HSET', KEYS[1], unpack(ARGV, 3, setEnd)) end
if #ARGV > setEnd then redis.call('HDEL', KEYS[1], unpack(ARGV, setEnd + 1)) end
return 1
