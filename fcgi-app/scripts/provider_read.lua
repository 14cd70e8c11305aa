-- provider_read - how busy a provider is, what is known of it, and its record where that
-- has changed.
--
-- KEYS  {p:NAME}:provider     hash: the record
--       {p:NAME}:running      sorted set: request id -> when its lease lapses (ms)
--       {p:NAME}:state        hash: heartbeat, probes (gateway/provider_state.h)
-- ARGV  generation that the caller knows; '' for none
-- Gives { slots in use, { state field, value, ..., 'now', Redis' clock in ms } }, and as a
-- third { field, value, ... } of the record where the caller does not know it.
local now = redis.call('TIME')
local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
local generation = redis.call('HGET', KEYS[1], 'generation')
local state = redis.call('HGETALL', KEYS[3])

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_ms)
local running = redis.call('ZCARD', KEYS[2])

state[#state + 1] = 'now'
state[#state + 1] = now_ms
if generation and generation == ARGV[1] then
	return { running, state }
end
return { running, state, redis.call('HGETALL', KEYS[1]) }
