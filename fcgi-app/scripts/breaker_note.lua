-- breaker_note - trouble that a responder met at a provider, or the end of it.
--
-- KEYS  {p:NAME}:provider     hash: the record; only its generation
--       {p:NAME}:state        hash: open.*, cool.*, flag.* (gateway/provider_state.h)
-- ARGV  what, generation that the responder asked, and
--         failed   failures that open the circuit, ms of their window, ms to a circuit's first
--                  turn, ms to a doubt's first turn (0: no doubts), 1 where the responder is in
--                  doubt by itself
--         cool     ms of rest, rests in a row without a Retry-After
--         flag
--         well     ms ago that the request began, which was answered: doubt and circuit end,
--                  failures and past rests are forgotten
--         give_up  the turn, as the probe's claim was given: it ended without an outcome
-- Gives, for `failed`, the verdict: { 0 nothing, 1 in doubt, 2 the circuit is open; ms to the
-- next turn; ms to open.since, negative: so long ago }; -1: the record has changed, nothing is
-- noted; else 0.
--
-- open.until is when one request may go there as a probe; provider_take moves it on. What is known
-- already does not count twice: failures while the circuit is open, and answers to requests that
-- are older than open.since.
local what, generation = ARGV[1], ARGV[2]

if redis.call('HGET', KEYS[1], 'generation') ~= generation then
	return -1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[2], 'open.generation', 'open.until', 'open.since', 'open.doubt',
	'open.failures', 'open.window', 'cool.generation', 'cool.until')
local open_ours, cool_ours = known[1] == generation, known[7] == generation
local turn = open_ours and tonumber(known[2] or '')
local since = tonumber(known[3] or '') or 0
local doubted = turn and known[4] == '1'
local cool_until = cool_ours and tonumber(known[8] or '') or 0

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
	redis.call('HDEL', KEYS[2], 'open.generation', 'open.until', 'open.since', 'open.doubt', 'open.failures',
		'open.window')
end

if what == 'failed' then
	local most, window, open, doubt = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
	local failures, ends = 0, now + window

	if turn and not doubted then
		return { 2, math.max(turn - now, 0), since - now }
	end
	if open_ours and now < (tonumber(known[6] or '') or 0) then
		failures, ends = tonumber(known[5] or '') or 0, tonumber(known[6])
	end
	failures = failures + 1
	forget_circuit()
	if failures >= most then
		set('open.generation', generation, 'open.until', now + open, 'open.since', now + open)
		return { 2, open, open }
	end
	set('open.generation', generation, 'open.failures', failures, 'open.window', ends)
	if not doubted and doubt > 0 and (ARGV[7] == '1' or failures * 2 >= most) then
		doubted, turn, since = true, now + doubt, now
	end
	if not doubted then
		return { 0, 0, 0 }
	end
	set('open.until', turn, 'open.since', since, 'open.doubt', 1)
	return { 1, math.max(turn - now, 0), since - now }
elseif what == 'cool' then
	set('cool.generation', generation, 'cool.until', math.max(cool_until, now + tonumber(ARGV[3])),
		'cool.steps', ARGV[4])
elseif what == 'flag' then
	set('flag.generation', generation, 'flag.at', now)
elseif what == 'well' then
	if not turn or now - tonumber(ARGV[3]) >= since then
		forget_circuit()
	end
	if now >= cool_until then
		redis.call('HDEL', KEYS[2], 'cool.generation', 'cool.until', 'cool.steps')
	end
elseif what == 'give_up' and turn and known[2] == ARGV[3] then
	set('open.until', now)
end
return 0
