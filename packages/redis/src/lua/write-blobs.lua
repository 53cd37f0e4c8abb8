--[[
Stores blobs under their digests, if the caller has the lease. Overwrites existing blobs, because they may be
damaged.

KEYS  1 status hash   2 hash of blobs
ARGV  1 term   2 owner   then digest, bytes, …
Returns  1 if all blobs are stored, 0 if the caller has lost the lease
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then return 0 end
for index = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1]) end
return 1
