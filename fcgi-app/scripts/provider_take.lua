-- provider_take - one slot of a provider for a request.
--
-- KEYS  {p:NAME}:running      sorted set: request id -> when its lease lapses (ms)
-- ARGV  request id, slots of the provider, lease in ms
-- Gives the number of slots in use, ours included; negative: full, with so many in use.
--
-- Lapsed leases are cleared away only where they would matter, and at each poll.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local slots, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
local running = redis.call('ZCARD', KEYS[1])

if running >= slots then
	redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now_ms))
	running = redis.call('ZCARD', KEYS[1])
	-- the same request again is no second one
	if running >= slots and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
		return -running
	end
end
return running + redis.call('ZADD', KEYS[1], string.format('%.0f', now_ms + lease), ARGV[1])
