--[[
Finds the given registries whose last attempt was before a given time, or that were never tried. Skips registries
that are running, paused, or waiting for a retry.

KEYS  status hash, control hash, for each registry in turn
ARGV  1 the current time
      then, for each registry in turn, a time: the registry is overdue if its last attempt was earlier
      Times are ISO 8601 in UTC with milliseconds, as in the status, so that they sort as text
Returns  the numbers of the registries, from 1; negative for a registry that was never tried
The script reads two hashes per registry. Callers pass a few dozen registries at a time, so that Redis serves other
clients in between. The script skips a registry whose keys hold values of another type.
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
