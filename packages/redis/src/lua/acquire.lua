--[[
Takes the lease of a registry if it is free. If the purpose is a request, also counts the request.

KEYS  1 status hash   2 control hash   3 snapshot pointer
ARGV  1 owner   2 lease TTL in ms   3 'tick' | 'request' | 'wake-up'
      4 for a tick: a time in ms, 0 for never. The tick is superseded if the last run succeeded and started within it
        for a request: '1' if it is forced   for a wake-up: the number of its request
      5 '1' if the caller runs no other registry that may be poison   6 starts that make a registry poison
Returns
  {'handled'}                                     a run has already handled the wake-up's request
  {'busy', owner, leaseUntil ms}                  another run has the lease; the request stays counted
  {'superseded'}                                  the last run answers the tick
  {'isolate', request}                            the next start makes the registry poison, and the caller runs others;
                                                  request: the newest open request, 0 for none; it stays counted
  {'acquired', term, now ms, JSON}                {status, control, served}: the hashes as flat lists, from before this
                                                  call, and the pointer. One string, because clients parse one faster
The term is the time in microseconds, or the last term + 1 if that is larger. It grows even if this Redis has lost
its data. An invalid number counts as 0 and is replaced, because it would stop every run and every request. All
times come from Redis's clock, because a worker's clock may be wrong.
]]
local function whole(text)
  local number = text and string.find(text, '^%d+$') and tonumber(text) or 0
  -- Above this number, adding 1 changes nothing.
  if number >= 9007199254740991 then return 0 end
  return number
end

-- Returns the epoch milliseconds of a status time, which is RFC 3339 in UTC with milliseconds; nil for another text.
local function epochMs(text)
  local pattern = '^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)%.(%d%d%d)Z$'
  local year, month, day, hour, minute, second, ms = string.match(text or '', pattern)
  if not year then return nil end
  -- Days since 1970. The calculation uses years that begin in March.
  local y = month + 0 <= 2 and year - 1 or year + 0
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 719469
  return ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + ms
end

-- Reads before any write: if a key holds a value of another type, the script must change nothing.
local counts = redis.call('HMGET', KEYS[2], 'requested', 'handled')
local handled = whole(counts[2])
local requested = whole(counts[1])
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner', 'leaseUntil', 'startsWithoutFinish',
  'lastAttemptAt', 'lastSuccessAt')
-- Removes nothing. Redis refuses a script's first write if Redis is full, unless this write needs no memory. With this
-- write first, the script also works in a full Redis, in every version of Redis and Valkey.
redis.call('HDEL', KEYS[1], '')
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
  requested = redis.call('HINCRBY', KEYS[2], 'requested', 1)
  if ARGV[4] == '1' then redis.call('HSET', KEYS[2], 'force', '1') end
elseif ARGV[3] == 'wake-up' then
  if handled >= tonumber(ARGV[4]) then return {'handled'} end
end

local leaseUntil = whole(stored[3])
if stored[2] and leaseUntil > nowMs then
  return {'busy', stored[2], string.format('%.0f', leaseUntil)}
end

if ARGV[3] == 'tick' and requested <= handled then
  local triedAt = epochMs(stored[5])
  local ageMs = triedAt and nowMs - triedAt
  local succeededAt = epochMs(stored[6])
  local hasSucceeded = triedAt and succeededAt and succeededAt >= triedAt
  if hasSucceeded and ageMs >= 0 and ageMs < tonumber(ARGV[4]) then return {'superseded'} end
end

if ARGV[5] ~= '1' and whole(stored[4]) + 1 == tonumber(ARGV[6]) then
  return {'isolate', requested > handled and string.format('%.0f', requested) or '0'}
end

local status = redis.call('HGETALL', KEYS[1])
local term = string.format('%.0f', math.max(whole(stored[1]) + 1, time[1] * 1000000 + time[2]))
redis.call('HSET', KEYS[1], 'phase', 'Syncing', 'term', term, 'owner', ARGV[1],
  'leaseUntil', string.format('%.0f', nowMs + ARGV[2]),
  'startsWithoutFinish', string.format('%.0f', whole(stored[4]) + 1))
local served = redis.pcall('GET', KEYS[3])
-- A value of another type is not a pointer. The publication reports it.
if type(served) ~= 'string' then served = nil end
return {'acquired', term, string.format('%.0f', nowMs),
  cjson.encode({status = status, control = redis.call('HGETALL', KEYS[2]), served = served})}
