-- probe_note - what a probe of a provider has found.
--
-- KEYS  {p:NAME}:provider     hash: the record; only its generation
--       {p:NAME}:state        hash: probe.*; a probe that went well lifts flag.*
-- ARGV  generation that was probed, '1' where it went well, '1' where the credential was
--       refused, HTTP status (0: none), why, ms until the next one
-- Gives the failures in a row; -1: the record has changed or gone, nothing is noted.
local generation = redis.call('HGET', KEYS[1], 'generation')

if generation ~= ARGV[1] then
	return -1
end
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local failures = 0

if ARGV[2] ~= '1' and ARGV[3] ~= '1' then
	failures = 1
	if redis.call('HGET', KEYS[2], 'probe.generation') == generation then
		failures = failures + (tonumber(redis.call('HGET', KEYS[2], 'probe.failures')) or 0)
	end
end
redis.call('HSET', KEYS[2],
	'probe.at', string.format('%.0f', now_ms),
	'probe.next', string.format('%.0f', now_ms + tonumber(ARGV[6])),
	'probe.generation', generation,
	'probe.ok', ARGV[2],
	'probe.refused', ARGV[3],
	'probe.status', ARGV[4],
	'probe.why', ARGV[5],
	'probe.failures', string.format('%.0f', failures))
if ARGV[2] == '1' then
	for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
		if string.sub(field, 1, 5) == 'flag.' then
			redis.call('HDEL', KEYS[2], field)
		end
	end
end
return failures
