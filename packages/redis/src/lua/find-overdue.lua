--[[
Finds, among some registries, those that were last tried before a given time, or never. They have no lease, are
not paused, and are not waiting for a retry.

KEYS  status hash, control hash, of each registry in turn
ARGV  1 the time now
      then, for each registry in turn, the time before which it should not have been tried last
      Times are ISO 8601 in UTC with milliseconds, as the status has them, so that their order is that of text
Returns  the numbers of the registries, from 1; below 0 for those that were never tried
It reads two hashes a registry: callers ask for some dozens at a time, so that Redis serves others in between.
A registry whose keys hold values of another type is skipped. The others are not affected.
]]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local overdue = {}
for index = 1, #KEYS, 2 do
  local status = redis.pcall('HMGET', KEYS[index], 'owner', 'leaseUntil', 'lastAttemptAt', 'nextDueAt')
  local control = redis.pcall('HMGET', KEYS[index + 1], 'suspended', 'pinned')
  if not status.err and not control.err then
    local number = (index + 1) / 2
    local isRunning = status[1] and (tonumber(status[2]) or 0) > nowMs
    local isTried = status[3]
    local isLate = not isTried or status[3] < ARGV[number + 1]
    local isWaiting = status[4] and status[4] > ARGV[1]
    local isPaused = control[1] == '1' or control[2]
    if isLate and not isRunning and not isWaiting and not isPaused then
      overdue[#overdue + 1] = isTried and number or -number
    end
  end
end
return overdue
