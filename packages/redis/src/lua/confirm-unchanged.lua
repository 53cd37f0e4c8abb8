--[[
Records that a check found a registry unchanged, unless a newer run has started, a request is open, or the
pointer does not name the snapshot of the status. A run then restores the pointer.
Takes no lease, but compares the token of an ended run, `<term>:`.

KEYS  1 status hash   2 control hash   3 snapshot pointer
ARGV  1 term of the last run   then name, value, … of status fields to set
Returns  1 if the fields were set, 0 if a newer run has started or ended, a request is open, the pointer names
         another snapshot, or an operator has suspended or pinned the registry
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner', 'snapshot')
if stored[1] ~= ARGV[1] or stored[2] then return 0 end
local control = redis.call('HMGET', KEYS[2], 'requested', 'handled', 'suspended', 'pinned')
if control[3] == '1' or control[4] then return 0 end
if (tonumber(control[1]) or 0) > (tonumber(control[2]) or 0) then return 0 end
-- A value of another type is not a pointer. The run that follows reports it.
if redis.pcall('GET', KEYS[3]) ~= stored[3] then return 0 end
redis.call('HDEL', KEYS[1], '') -- also works in a full Redis, see acquire.lua
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
