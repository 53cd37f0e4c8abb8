--[[
Ends a run: moves the pointer if there is a publication, saves the status, appends the run to the log, records
the handled request, and releases the lease. The script does either all of this or nothing.

KEYS  1 status hash   2 control hash   3 runs stream
      only with a publication:   4 snapshot pointer   5 manifests hash   6 chunks hash
      7 snapshot history sorted set
ARGV  1 term   2 owner
      3 last handled request, 0 for none
      4 the run as JSON, '' for none   5 how many runs the log keeps
      6 manifest to publish, '' for none   7 manifest of its mirror, '' if it is the same
      8 '1' to pin the manifest
      9 digests of the chunks of both manifests, 32 bytes each, concatenated: half the length of hex
      10 number of status fields to set   then name, value, …   then names of fields to remove
Returns
  {'finished', request}   request: the number of an open request, 0 for none
  {'refused'}             the caller has lost the lease: nothing was written
  {'incomplete', digest}  a chunk or a manifest is missing: nothing was written
A second call with the same term finds the lease released, and returns the same as the first call. A caller that
got no reply may therefore call again.
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
local function openRequest()
  local control = redis.call('HMGET', KEYS[2], 'requested', 'handled')
  local requested = tonumber(control[1]) or 0
  if requested > (tonumber(control[2]) or 0) then return requested end
  return 0
end
if stored[1] == ARGV[1] and not stored[2] then return {'finished', openRequest()} end
if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then return {'refused'} end

-- An error does not undo a script's writes. The script therefore reads values of doubtful type before any write.
openRequest()
if ARGV[4] ~= '' then redis.call('XLEN', KEYS[3]) end
redis.call('HDEL', KEYS[1], '') -- also works in a full Redis, see acquire.lua

local manifest = ARGV[6]
if manifest ~= '' then
  if redis.call('HEXISTS', KEYS[5], manifest) == 0 then return {'incomplete', manifest} end
  if ARGV[7] ~= '' and redis.call('HEXISTS', KEYS[5], ARGV[7]) == 0 then return {'incomplete', ARGV[7]} end
  -- A table is faster than one string.format per digest.
  local hex = {}
  for byte = 0, 255 do hex[string.char(byte)] = string.format('%02x', byte) end
  for start = 1, #ARGV[9], 32 do
    local digest = string.gsub(string.sub(ARGV[9], start, start + 31), '.', hex)
    if redis.call('HEXISTS', KEYS[6], digest) == 0 then return {'incomplete', digest} end
  end
  local time = redis.call('TIME')
  local nowMs = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  local before = redis.call('GET', KEYS[4])
  redis.call('ZCARD', KEYS[7])
  if before and before ~= manifest then redis.call('ZADD', KEYS[7], nowMs, before) end
  redis.call('ZADD', KEYS[7], '+inf', manifest)
  redis.call('SET', KEYS[4], manifest)
  if ARGV[8] == '1' then redis.call('HSET', KEYS[2], 'pinned', manifest) end
end

local setEnd = 10 + 2 * tonumber(ARGV[10])
if setEnd > 10 then redis.call('HSET', KEYS[1], unpack(ARGV, 11, setEnd)) end
redis.call('HDEL', KEYS[1], 'owner', 'leaseUntil', unpack(ARGV, setEnd + 1))

if ARGV[4] ~= '' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], ARGV[1] .. '-0', 'run', ARGV[4])
end

local answered = tonumber(ARGV[3])
if answered > 0 then
  local handled = tonumber(redis.call('HGET', KEYS[2], 'handled')) or 0
  if answered > handled then redis.call('HSET', KEYS[2], 'handled', ARGV[3]) end
  -- A newer request may be forced, so the flag stays while any request is open.
  if openRequest() == 0 then redis.call('HDEL', KEYS[2], 'force') end
end
return {'finished', openRequest()}
