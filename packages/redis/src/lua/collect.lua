--[[
Removes manifests and chunks that no kept snapshot needs, if the caller has the lease. Never removes the served
manifest, even if the caller names it.

KEYS  1 status hash   2 snapshot pointer   3 manifests hash   4 chunks hash   5 snapshot history
ARGV  1 term   2 owner   3 number of manifests   then digests of manifests   then digests of chunks
Returns  1 if they were removed, 0 if the caller has lost the lease
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then return 0 end
local served = redis.call('GET', KEYS[2])
local manifestsEnd = 3 + tonumber(ARGV[3])
for index = 4, manifestsEnd do
  if ARGV[index] ~= served then
    redis.call('HDEL', KEYS[3], ARGV[index])
    redis.call('ZREM', KEYS[5], ARGV[index])
  end
end
for index = manifestsEnd + 1, #ARGV do redis.call('HDEL', KEYS[4], ARGV[index]) end
return 1
