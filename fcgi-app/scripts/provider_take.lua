-- provider_take - one slot of a provider for a request.
--
-- KEYS  {p:NAME}:running      sorted set: request id -> when its lease lapses (ms)
--       {p:NAME}:state        only for a probe: open.*
-- ARGV  request id, slots of the provider, lease in ms; for a probe also the generation of the
--       record, ms to the turn after its own
-- Gives the number of slots in use, ours included; negative: full, with so many in use.
-- For a probe { that number, 0, the next turn, which is its claim ('' where no trouble is known) },
-- or { 0, ms, '' }: it is no probe's turn for so long yet; no slot is taken then.
--
-- Lapsed leases are cleared away only where they would matter, and at each poll.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local slots, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
local is_probe, claim = KEYS[2] ~= nil, ''

if is_probe then
	local open = redis.call('HMGET', KEYS[2], 'open.generation', 'open.until')

	if open[1] == ARGV[4] and open[2] then
		local turn_ms = tonumber(open[2]) or 0

		if turn_ms > now_ms then
			return { 0, turn_ms - now_ms, '' }
		end
		claim = string.format('%.0f', now_ms + tonumber(ARGV[5]))
	end
end
local running = redis.call('ZCARD', KEYS[1])

if running >= slots then
	redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now_ms))
	running = redis.call('ZCARD', KEYS[1])
	-- the same request again is no second one
	if running >= slots and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
		return is_probe and { -running, 0, '' } or -running
	end
end
running = running + redis.call('ZADD', KEYS[1], string.format('%.0f', now_ms + lease), ARGV[1])
if not is_probe then
	return running
end
if claim ~= '' then
	redis.call('HSET', KEYS[2], 'open.until', claim)
end
return { running, 0, claim }
