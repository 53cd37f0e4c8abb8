--[[
Reads how many bytes are stored. Counts them first if a count is missing, as after an upgrade or after the removal of a
registry.

KEYS  1 hash of stored bytes   2 manifests hash   3 chunks hash
ARGV  1 registry
Returns  {bytes of the registry, bytes of all counted registries, number of counted registries}, as text
]]
local counts = redis.call('HMGET', KEYS[1], ARGV[1], '')
local own, total = tonumber(counts[1] or ''), tonumber(counts[2] or '')
if not own then
  own = 0
  for index = 2, 3 do
    for _, digest in ipairs(redis.call('HKEYS', KEYS[index])) do
      own = own + redis.call('HSTRLEN', KEYS[index], digest)
    end
  end
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', own))
  if total then
    total = total + own
    redis.call('HSET', KEYS[1], '', string.format('%.0f', total))
  end
end
if not total then
  total = 0
  redis.call('HDEL', KEYS[1], '')
  for _, bytes in ipairs(redis.call('HVALS', KEYS[1])) do total = total + (tonumber(bytes) or 0) end
  redis.call('HSET', KEYS[1], '', string.format('%.0f', total))
end
return {string.format('%.0f', own), string.format('%.0f', total), tostring(redis.call('HLEN', KEYS[1]) - 1)}
