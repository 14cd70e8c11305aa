-- probe_claim - who of several watchers makes the probe that is due?
--
-- KEYS  {p:NAME}:state        hash: probe.next is when the next one is due (ms)
-- ARGV  probe.next as the caller has read it ('' for none), ms that the probe may take
-- Gives 1: the caller makes it; 0: somebody else was faster.
local known = redis.call('HGET', KEYS[1], 'probe.next') or ''

if known ~= ARGV[1] then
	return 0
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'probe.next', string.format('%.0f',
	now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[2])))
return 1
