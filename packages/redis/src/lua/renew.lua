--[[
Extends a lease if the caller still has it.

KEYS  1 status hash   2 control hash
ARGV  1 term   2 owner   3 lease TTL in ms
Returns  0 if the caller has lost the lease; 1 if the lease was extended; 2 if the lease was extended, but an
         operator wants the run to end
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', KEYS[1], '') -- also works in a full Redis, see acquire.lua
redis.call('HSET', KEYS[1], 'leaseUntil', string.format('%.0f', nowMs + ARGV[3]))
local control = redis.call('HMGET', KEYS[2], 'suspended', 'pinned')
if control[1] == '1' or control[2] then return 2 end
return 1
