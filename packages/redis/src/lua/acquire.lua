--[[
Takes the lease of a registry, if it is free, and counts a request, if this is one.

KEYS  1 status hash   2 control hash
ARGV  1 owner   2 lease TTL in ms   3 'tick' | 'request' | 'hint'
      4 of a request '1' if it is forced, of a hint its number, else ''
Returns
  {'answered'}                                    a run has answered the hint's request already
  {'busy', owner, leaseUntil ms}                  another run has the lease; a request stays counted
  {'acquired', term, now ms, JSON}                {status, control}: the hashes as flat lists, as they
                                                  were before. One string: clients take it apart faster
The term is the time in microseconds, or one more than the last where that is larger: so it grows also
when this Redis has lost its data.
]]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

if ARGV[3] == 'request' then
  redis.call('HINCRBY', KEYS[2], 'requested', 1)
  if ARGV[4] == '1' then redis.call('HSET', KEYS[2], 'force', '1') end
elseif ARGV[3] == 'hint' then
  local handled = tonumber(redis.call('HGET', KEYS[2], 'handled') or '0')
  if handled >= tonumber(ARGV[4]) then return {'answered'} end
end

local stored = redis.call('HMGET', KEYS[1], 'term', 'owner', 'leaseUntil', 'startsWithoutFinish')
local leaseUntil = tonumber(stored[3] or '0')
if stored[2] and leaseUntil > nowMs then
  return {'busy', stored[2], string.format('%.0f', leaseUntil)}
end

local status = redis.call('HGETALL', KEYS[1])
local term = string.format('%.0f', math.max(tonumber(stored[1] or '0') + 1, time[1] * 1000000 + time[2]))
redis.call('HSET', KEYS[1], 'phase', 'Syncing', 'term', term, 'owner', ARGV[1],
  'leaseUntil', string.format('%.0f', nowMs + ARGV[2]),
  'startsWithoutFinish', string.format('%.0f', tonumber(stored[4] or '0') + 1))
return {'acquired', term, string.format('%.0f', nowMs),
  cjson.encode({status = status, control = redis.call('HGETALL', KEYS[2])})}
