-- breaker_note - trouble that a responder met at a provider, or the end of it.
--
-- KEYS  {p:NAME}:provider     hash: the record; only its generation
--       {p:NAME}:state        hash: open.*, cool.*, flag.* (gateway/provider_state.h)
-- ARGV  what, generation that the responder asked, and
--         failed   failures that open the circuit, ms of their window, ms that it stays open
--         cool     ms of rest, rests in a row without a Retry-After
--         flag
--         well     an answer: the circuit closes, failures and past rests are forgotten
--         give_up  open.probe as the probe's claim was given: it ended without an outcome
-- Gives, for `failed`, the ms until the circuit lets a probe through (0: it is closed); -1:
-- the record has changed, nothing is noted; else 0.
--
-- What is known already does not count twice: failures while the circuit is open, and answers
-- begun before it opened.
local what, generation = ARGV[1], ARGV[2]

if redis.call('HGET', KEYS[1], 'generation') ~= generation then
	return -1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[2], 'open.generation', 'open.until', 'open.probe',
	'open.failures', 'open.window', 'cool.generation', 'cool.until')
local open_ours, cool_ours = known[1] == generation, known[6] == generation
local open_until = open_ours and tonumber(known[2] or '')
local cool_until = cool_ours and tonumber(known[7] or '') or 0

local function set(...)
	local words = { ... }

	for i, word in ipairs(words) do
		if type(word) == 'number' then
			words[i] = string.format('%.0f', word)
		end
	end
	redis.call('HSET', KEYS[2], unpack(words))
end

local function forget_circuit()
	redis.call('HDEL', KEYS[2], 'open.generation', 'open.until', 'open.probe', 'open.failures', 'open.window')
end

if what == 'failed' then
	local most, window, open = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
	local failures, ends = 0, now + window

	if open_until and now < open_until then
		return open_until - now
	end
	if open_ours and not open_until and now < (tonumber(known[5] or '') or 0) then
		failures, ends = tonumber(known[4] or '') or 0, tonumber(known[5])
	end
	forget_circuit()
	if open_until or failures + 1 >= most then
		set('open.generation', generation, 'open.until', now + open)
		return open
	end
	set('open.generation', generation, 'open.failures', failures + 1, 'open.window', ends)
elseif what == 'cool' then
	set('cool.generation', generation, 'cool.until', math.max(cool_until, now + tonumber(ARGV[3])),
		'cool.steps', ARGV[4])
elseif what == 'flag' then
	set('flag.generation', generation, 'flag.at', now)
elseif what == 'well' then
	if not open_until or now >= open_until then
		forget_circuit()
	end
	if now >= cool_until then
		redis.call('HDEL', KEYS[2], 'cool.generation', 'cool.until', 'cool.steps')
	end
elseif what == 'give_up' and known[3] == ARGV[3] then
	redis.call('HDEL', KEYS[2], 'open.probe')
end
return 0
