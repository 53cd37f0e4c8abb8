--[[
Finds the given registries that need a wake-up: the lease expired before the run ended, or a request is open
without a lease.

KEYS  status hash, control hash, for each registry in turn
Returns  a flat list, with three items per registry: number of the registry, from 1; term of its interrupted run,
         '' for none; number of its open request, 0 for none
The script reads two hashes per registry. Callers pass a few dozen registries at a time, so that Redis serves other
clients in between. The script skips a registry whose keys hold values of another type.
]]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local neglected = {}
for index = 1, #KEYS, 2 do
  local status = redis.pcall('HMGET', KEYS[index], 'owner', 'term', 'leaseUntil')
  local control = redis.pcall('HMGET', KEYS[index + 1], 'requested', 'handled')
  local isOurs = not status.err and not control.err
  if isOurs and (not status[1] or (tonumber(status[3]) or 0) <= nowMs) then
    local request = tonumber(control[1]) or 0
    if request <= (tonumber(control[2]) or 0) then request = 0 end
    local term = status[1] and status[2] or ''
    if term ~= '' or request > 0 then
      neglected[#neglected + 1] = (index + 1) / 2
      neglected[#neglected + 1] = term
      neglected[#neglected + 1] = request
    end
  end
end
return neglected
