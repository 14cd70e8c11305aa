-- provider_renew - leases that go on; one that Redis has lost meanwhile is there again.
--
-- KEYS  {p:NAME}:running      sorted set: request id -> when its lease lapses (ms)
-- ARGV  lease in ms, request ids (a few hundred at most)
local now = redis.call('TIME')
local until_ms = string.format('%.0f',
	now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[1]))
local scored = {}

for i = 2, #ARGV do
	scored[#scored + 1] = until_ms
	scored[#scored + 1] = ARGV[i]
end
return redis.call('ZADD', KEYS[1], unpack(scored))
