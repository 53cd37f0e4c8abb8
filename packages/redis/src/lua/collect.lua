--[[
Removes manifests and chunks that no kept snapshot needs, if the caller has the lease. Never removes the served
manifest, even if the caller names it. Works in a full Redis, because its first write frees memory.

KEYS  1 status hash   2 snapshot pointer   3 manifests hash   4 chunks hash   5 snapshot history
      6 hash of stored bytes
ARGV  1 term   2 owner   3 registry   4 number of manifests   then digests of manifests   then digests of chunks
Returns  1 if they were removed, 0 if the caller has lost the lease
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then return 0 end
local served = redis.call('GET', KEYS[2])
local counts = redis.call('HMGET', KEYS[6], ARGV[3], '')
local freed = 0
local function remove(key, digest)
  freed = freed + redis.call('HSTRLEN', key, digest)
  redis.call('HDEL', key, digest)
end
local manifestsEnd = 4 + tonumber(ARGV[4])
for index = 5, manifestsEnd do
  if ARGV[index] ~= served then
    remove(KEYS[3], ARGV[index])
    redis.call('ZREM', KEYS[5], ARGV[index])
  end
end
for index = manifestsEnd + 1, #ARGV do remove(KEYS[4], ARGV[index]) end
local own, total = tonumber(counts[1] or ''), tonumber(counts[2] or '')
if own and freed > 0 then
  redis.call('HSET', KEYS[6], ARGV[3], string.format('%.0f', own - freed))
  if total then redis.call('HSET', KEYS[6], '', string.format('%.0f', total - freed)) end
end
return 1
