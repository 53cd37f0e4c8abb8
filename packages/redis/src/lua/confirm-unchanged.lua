--[[
Records that a check found a registry unchanged, unless a newer run has started or a request is open.
Takes no lease, but compares the token of an ended run, `<term>:`.

KEYS  1 status hash   2 control hash
ARGV  1 term of the last run   then name, value, … of status fields to set
Returns  1 if the fields were set, 0 if a newer run has started or ended, a request is open, or an operator
         has suspended or pinned the registry
]]
local stored = redis.call('HMGET', KEYS[1], 'term', 'owner')
if stored[1] ~= ARGV[1] or stored[2] then return 0 end
local control = redis.call('HMGET', KEYS[2], 'requested', 'handled', 'suspended', 'pinned')
if control[3] == '1' or control[4] then return 0 end
if (tonumber(control[1]) or 0) > (tonumber(control[2]) or 0) then return 0 end
redis.call('HDEL', KEYS[1], '') -- also works in a full Redis, see acquire.lua
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
