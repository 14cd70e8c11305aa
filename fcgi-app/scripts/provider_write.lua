-- provider_write - a provider's record as a whole, unless somebody else has changed it.
--
-- KEYS  {p:NAME}:provider     hash: the record
-- ARGV  generation that the caller has read ('0': there was none), then field, value, ...
--       without the generation
-- Gives the new generation, to be written into `providers`; or 0: changed meanwhile.
--
-- A generation is never used twice, not even by a provider removed and made again: it is the
-- time in ms where that is the larger.
local old = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')

if old ~= tonumber(ARGV[1]) then
	return 0
end
local now = redis.call('TIME')
local new = math.max(old + 1, now[1] * 1000 + math.floor(now[2] / 1000))
local fields = { 'generation', string.format('%.0f', new) }

for i = 2, #ARGV do
	fields[#fields + 1] = ARGV[i]
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(fields))
return new
