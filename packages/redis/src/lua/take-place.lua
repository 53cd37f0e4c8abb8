--[[
Takes a place for a request to a host, and reserves the time when the request may start.

KEYS  1 sorted set: places. The score is the time when the place is free again at the latest (ms)
      2 string: when the last request starts (us). The time may be in the future
ARGV  1 place   2 limit of concurrent requests, 0 for no limit   3 minimum time between two starts in us, 0 for none
      4 longest wait for the start in ms   5 longest duration of the request in ms
Returns
  {'taken', ms to wait until the request may start}
  {'full'}                                  all places are taken: nothing was written
  {'late', ms until a request may start}    more than the longest wait: nothing was written
If the holder of a place dies, the place becomes free at its score.
]]
local time = redis.call('TIME')
local nowUs = time[1] * 1000000 + time[2]
local nowMs = math.floor(nowUs / 1000)
local concurrency, gapUs = tonumber(ARGV[2]), tonumber(ARGV[3])
local longestWaitMs, holdMs = tonumber(ARGV[4]), tonumber(ARGV[5])

redis.call('ZREM', KEYS[1], '') -- also works in a full Redis, see acquire.lua
if concurrency > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs)
  if redis.call('ZCARD', KEYS[1]) >= concurrency then return {'full'} end
end

local waitMs = 0
if gapUs > 0 then
  local lastUs = tonumber(redis.call('GET', KEYS[2]) or '0')
  -- The script never reserves a time so far ahead, so Redis's clock has gone back.
  if lastUs - nowUs > longestWaitMs * 1000 then lastUs = 0 end
  local beginUs = math.max(nowUs, lastUs + gapUs)
  waitMs = math.ceil((beginUs - nowUs) / 1000)
  if waitMs > longestWaitMs then return {'late', string.format('%.0f', waitMs)} end
  redis.call('SET', KEYS[2], string.format('%.0f', beginUs), 'PX',
    string.format('%.0f', waitMs + math.ceil(gapUs / 1000)))
end

if concurrency > 0 then
  local leaseMs = waitMs + holdMs
  redis.call('ZADD', KEYS[1], string.format('%.0f', nowMs + leaseMs), ARGV[1])
  local ttlMs = math.max(redis.call('PTTL', KEYS[1]), leaseMs)
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttlMs))
end
return {'taken', string.format('%.0f', waitMs)}
