-- metrics_read - the counts of all processes, at one moment: between two commands a
-- process could be folded into the total, and counted twice or not at all.
--
-- KEYS  {m}:index             sorted set: process -> its last write (ms)
--       {m}:total             hash: counters of processes that have ended
-- Gives { { name, value, ... }, ... }: the total, then counters and gauges of each.
--
-- The keys of the processes are named here: they share the hash tag.
local all = { redis.call('HGETALL', KEYS[2]) }

for _, process in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
	all[#all + 1] = redis.call('HGETALL', '{m}:c:' .. process)
	all[#all + 1] = redis.call('HGETALL', '{m}:g:' .. process)
end
return all
