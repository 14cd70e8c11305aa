-- heartbeat - a provider's node says that it is there, and what it takes.
--
-- KEYS  {p:NAME}:provider     hash: the record; only whether there is one
--       {p:NAME}:running      sorted set: request id -> when its lease lapses (ms)
--       {p:NAME}:state        hash: hb.* are written anew, what is not said is forgotten
-- ARGV  ms until it lapses, then field, value, ... without the "hb."
-- Gives 1; 0: there is no such provider.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)

if redis.call('EXISTS', KEYS[1]) == 0 then
	return 0
end
local running = redis.call('ZCOUNT', KEYS[2], '(' .. string.format('%.0f', now_ms), '+inf')
local fields = {
	'hb.at', string.format('%.0f', now_ms),
	'hb.until', string.format('%.0f', now_ms + tonumber(ARGV[1])),
	'hb.running', running,
}

for i = 2, #ARGV, 2 do
	fields[#fields + 1] = 'hb.' .. ARGV[i]
	fields[#fields + 1] = ARGV[i + 1]
end
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
	if string.sub(field, 1, 3) == 'hb.' then
		redis.call('HDEL', KEYS[3], field)
	end
end
redis.call('HSET', KEYS[3], unpack(fields))
return 1
