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
when this Redis has lost its data. What should be a number and is none counts as 0, and is put right: it
would stop every run, and every request.
]]
local function whole(text)
  local number = text and string.find(text, '^%d+$') and tonumber(text) or 0
  -- Beyond this one more is the same.
  if number >= 9007199254740991 then return 0 end
  return number
end

-- Read before anything is written: where one of the keys holds what is not ours, nothing is changed.
local counts = redis.call('HMGET', KEYS[2], 'requested', 'handled')
local handled = whole(counts[2])
local requested = whole(counts[1])
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner', 'leaseUntil', 'startsWithoutFinish')
if counts[2] and tostring(counts[2]) ~= string.format('%.0f', handled) then
  redis.call('HSET', KEYS[2], 'handled', string.format('%.0f', handled))
end
if counts[1] and tostring(counts[1]) ~= string.format('%.0f', requested) then
  requested = handled
  redis.call('HSET', KEYS[2], 'requested', string.format('%.0f', requested))
end

local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)

if ARGV[3] == 'request' then
  redis.call('HINCRBY', KEYS[2], 'requested', 1)
  if ARGV[4] == '1' then redis.call('HSET', KEYS[2], 'force', '1') end
elseif ARGV[3] == 'hint' then
  if handled >= tonumber(ARGV[4]) then return {'answered'} end
end

local leaseUntil = whole(stored[3])
if stored[2] and leaseUntil > nowMs then
  return {'busy', stored[2], string.format('%.0f', leaseUntil)}
end

local status = redis.call('HGETALL', KEYS[1])
local term = string.format('%.0f', math.max(whole(stored[1]) + 1, time[1] * 1000000 + time[2]))
redis.call('HSET', KEYS[1], 'phase', 'Syncing', 'term', term, 'owner', ARGV[1],
  'leaseUntil', string.format('%.0f', nowMs + ARGV[2]),
  'startsWithoutFinish', string.format('%.0f', whole(stored[4]) + 1))
return {'acquired', term, string.format('%.0f', nowMs),
  cjson.encode({status = status, control = redis.call('HGETALL', KEYS[2])})}
