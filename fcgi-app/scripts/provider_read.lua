-- provider_read - how busy a provider is, and its record where that has changed.
--
-- KEYS  {p:NAME}:provider     hash: the record
--       {p:NAME}:running      sorted set: request id -> when its lease lapses (ms)
-- ARGV  generation that the caller knows; '' for none
-- Gives { slots in use } or { slots in use, { field, value, ... } }.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local generation = redis.call('HGET', KEYS[1], 'generation')

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now_ms))
local running = redis.call('ZCARD', KEYS[2])

if generation and generation == ARGV[1] then
	return { running }
end
return { running, redis.call('HGETALL', KEYS[1]) }
