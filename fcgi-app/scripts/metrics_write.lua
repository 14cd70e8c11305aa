-- metrics_write - one process' counts; and the counts of one that has died go into the total.
--
-- KEYS  {m}:index             sorted set: process -> its last write (ms)
--       {m}:total             hash: counters of processes that have ended
--       {m}:c:PROCESS         hash: its counters
--       {m}:g:PROCESS         hash: its gauges
-- ARGV  process, '1' where it writes for the first time, '1' where it ends, ms that gauges
--       stay, ms after which a silent process has died, number of counters, then counter,
--       value, ... and gauge, value, ...
-- Gives 1; 0: the process was silent for so long that its counters are in the total
-- already, and nothing was written.
--
-- The keys of a dead process are named here, not by the caller: they share the hash tag.
local KEEP = 24 * 3600 * 1000 -- counters nobody has folded
local MOST = 5000 -- fields of the total: names that are no more must not fill it for ever
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)

local function set(key, from, to)
	for i = from, to, 500 do
		redis.call('HSET', key, unpack(ARGV, i, math.min(i + 499, to)))
	end
end

local function fold(process)
	local counters = redis.call('HGETALL', '{m}:c:' .. process)
	local room = MOST - redis.call('HLEN', KEYS[2])

	for i = 1, #counters, 2 do
		local known = redis.call('HEXISTS', KEYS[2], counters[i]) == 1
		if known or room > 0 then
			redis.call('HINCRBY', KEYS[2], counters[i], counters[i + 1])
			if not known then
				room = room - 1
			end
		else
			redis.call('HINCRBY', KEYS[2], 'derouter_series_merged_total', 1)
		end
	end
	redis.call('DEL', '{m}:c:' .. process, '{m}:g:' .. process)
	redis.call('ZREM', KEYS[1], process)
end

if ARGV[2] ~= '1' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
	return 0
end
local last_counter = 6 + 2 * tonumber(ARGV[6])

set(KEYS[3], 7, last_counter)
redis.call('PEXPIRE', KEYS[3], KEEP)
redis.call('DEL', KEYS[4])
set(KEYS[4], last_counter + 1, #ARGV)
redis.call('PEXPIRE', KEYS[4], ARGV[4])
redis.call('ZADD', KEYS[1], string.format('%.0f', now_ms), ARGV[1])
if ARGV[3] == '1' then
	fold(ARGV[1])
end
local died = string.format('%.0f', now_ms - tonumber(ARGV[5]))
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', died, 'LIMIT', 0, 1)) do
	fold(process)
end
return 1
