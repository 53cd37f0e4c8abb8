--[[
Stores blobs under their digests, if the caller has the lease and the limits allow it. Overwrites existing blobs,
because they may be damaged. Counts only bytes that were not stored before.

KEYS  1 status hash   2 hash of blobs   3 hash of stored bytes
ARGV  1 term   2 owner   3 registry   4 most bytes of the registry   5 most bytes of all registries
      then digest, bytes, …
Returns  1 if all blobs are stored, 0 if the caller has lost the lease
         2 if the blobs exceed the limit of the registry, 3 if they exceed the limit of all: nothing was written
A missing count stays missing, because only stored-bytes.lua knows the bytes that it must start from.
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then return 0 end
local counts = redis.call('HMGET', KEYS[3], ARGV[3], '')
local added, sizes = 0, {}
for index = 6, #ARGV, 2 do
  local digest, size = ARGV[index], #ARGV[index + 1]
  added = added + size - (sizes[digest] or redis.call('HSTRLEN', KEYS[2], digest))
  sizes[digest] = size
end
local own, total = tonumber(counts[1] or ''), tonumber(counts[2] or '')
if added > 0 then
  if own and own + added > tonumber(ARGV[4]) then return 2 end
  if total and total + added > tonumber(ARGV[5]) then return 3 end
end
for index = 6, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1]) end
if own then
  redis.call('HSET', KEYS[3], ARGV[3], string.format('%.0f', own + added))
  if total then redis.call('HSET', KEYS[3], '', string.format('%.0f', total + added)) end
end
return 1
