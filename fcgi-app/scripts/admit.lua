#!lua
-- admit - may this API key make this request now? If it may: book it.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:recent:KID, or :counts:KID for mode C
--       3 {a:ACCT}:open:KID
-- ARGV  1 mode: F full, K key only, C count_tokens
--       2 KID   3 SHA-256 of the secret   4 request id   5 model, '' unknown
--       6 estimate   7 rpm of a key that names none (C: the limit of count_tokens)
--       8 concurrency likewise   9 lease, ms   10 clock offset, ms
--       11 sweep after, ms; below 0: nothing is swept   12 life of an abandoned one's receipt, ms
-- Gives { verdict, now, hold, window, rpm, rpm left, rpm reset, concurrency, concurrency left,
--         balance left, budget left (-1: none), running, retry after, limit, budget, models };
--       without the last five where a request is admitted that they say nothing of
--
-- Everything is read and checked before the first write, since Redis does not roll back. The
-- one exception, abandoning dead entries, is complete in itself whatever comes after it.
--@include common
--@include secret
local mode, kid, now = ARGV[1], ARGV[2], clock(ARGV[10])
local f = call('HMGET', KEYS[1], 'status', kid .. '.sha', kid .. '.status', kid .. '.expires',
	kid .. '.models', 'balance', 'held', 'running', kid .. '.rpm', kid .. '.conc',
	kid .. '.budget', kid .. '.period', kid .. '.spent:total', kid .. '.held:total')
local models = f[5] or ''

-- An answer that tells of no limit.
local function plain(verdict)
	return { verdict, now, 0, '', 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, -1, models }
end

-- A refused request has no receipt; its id stands among the account's last ones.
local function refuse(status, answer)
	call('XADD', string.sub(KEYS[1], 1, -8) .. 'requests', 'MAXLEN', '~', '10000', '*', 'req', ARGV[4], 'key', kid, 'model', ARGV[5],
		'status', status, 'error', answer[1])
	return answer
end

-- Whoever does not know the secret writes nothing and learns nothing.
if not opens(kid, f[2], ARGV[3], now) then
	return plain('BAD_KEY')
end
local expires = whole(f[4], 0)
if f[1] == 'suspended' then
	return refuse('401', plain('SUSPENDED'))
end
if f[1] ~= 'on' or f[3] ~= 'on' or (expires > 0 and expires <= now) then
	return refuse('401', plain('BAD_KEY'))
end
if mode == 'K' then
	return plain('OK')
end
if models ~= '' and ARGV[5] ~= '' and
	not string.find(',' .. models .. ',', ',' .. ARGV[5] .. ',', 1, true) then
	return refuse('400', plain('MODEL_UNAVAILABLE'))
end

-- The sliding minute: full while the rpm-th arrival, counted from the newest, is younger than a
-- minute. A clock that was set back makes ages negative: they count as 0. A limit of 0 is always
-- reached. Gives how long it stays full, in ms; 0 where it is not.
local function minute_is_full_for(rpm)
	local nth = rpm > 0 and call('LINDEX', KEYS[2], string.format('-%d', rpm)) or rpm <= 0 and now
	if not nth or now - nth >= 60000 then
		return 0
	end
	return math.min(60000, 60000 - (now - nth))
end

-- Note this arrival; gives the number in this minute. Arrivals older than a minute go when the
-- oldest has become one; a list not in use any more lapses. (It cannot lapse in use: each push
-- finds the head stale once a minute is over, and then moves the date on.)
local function arrive(now_text)
	local n = call('RPUSH', KEYS[2], now_text)
	if n == 1 then
		call('PEXPIRE', KEYS[2], '3600000')
	elseif now - call('LINDEX', KEYS[2], '0') >= 60000 then
		local stale, fresh = 0, 1 -- places; ours is the last and fresh
		while fresh < n - 1 and now - call('LINDEX', KEYS[2], fresh) >= 60000 do
			stale, fresh = fresh, math.min(fresh * 2, n - 1)
		end
		while fresh - stale > 1 do
			local middle = math.floor((fresh + stale) / 2)
			if now - call('LINDEX', KEYS[2], middle) >= 60000 then
				stale = middle
			else
				fresh = middle
			end
		end
		call('LTRIM', KEYS[2], fresh, '-1')
		call('PEXPIRE', KEYS[2], '3600000')
		n = n - fresh
	end
	return n
end

if mode == 'C' then
	local rpm = whole(ARGV[7])
	local full_for = minute_is_full_for(rpm)
	if full_for > 0 then
		return refuse('429', { 'RPM', now, 0, '', rpm, 0, now + full_for, 0, 0, 0, -1, 0, full_for,
			rpm, -1, models })
	end
	return { 'OK', now, 0, '', rpm, math.max(0, rpm - arrive(text(now))), now + 60000, 0, 0, 0, -1, 0,
		0, 0, -1, models }
end

-- What is found out on the way, in straight lines: this is the path of every request, and
-- functions that share variables are what costs most in Lua.
local rpm, conc = whole(f[9], whole(ARGV[7])), whole(f[10], whole(ARGV[8]))
local budget, window = -1, 'total'
if f[11] and f[11] ~= '' then
--@include window
	budget = whole(f[11])
	window = window_of(f[12], now, f[12] ~= 'total' and call('HGET', KEYS[1], 'tz_offsets'))
end
local spent_field, held_field = kid .. '.spent:' .. window, kid .. '.held:' .. window
local b = { f[6], f[7], f[8], f[13], f[14] }
if window ~= 'total' then
	b = call('HMGET', KEYS[1], 'balance', 'held', 'running', spent_field, held_field)
end
local balance, held, running, spent, held_here, balance_left
local budget_left, conc_left, open, full_for, limit, verdict, status

for round = 1, 2 do
	balance, held, running = whole(b[1], 0), whole(b[2], 0), whole(b[3], 0)
	spent, held_here = whole(b[4], 0), whole(b[5], 0)
	balance_left, budget_left, conc_left, open, full_for, limit = balance - held, -1, 0, 0, 0, 0
	if budget >= 0 then
		budget_left = math.max(0, budget - spent - held_here)
	end

	-- The limits in their order; no verdict where nothing is in the way. Reads only.
	verdict = nil
	if balance <= 0 then
		verdict, status = 'BALANCE', '402'
	elseif budget >= 0 and budget - spent <= 0 then
		verdict, status = 'BUDGET', '402'
	else
		status = '429'
		full_for = minute_is_full_for(rpm)
		if full_for > 0 then
			verdict, limit = 'RPM', rpm
		else
			-- Running are the entries whose lease has not lapsed; they are counted one by one
			-- only where the limit seems reached.
			open = call('HLEN', KEYS[3])
			if open >= conc then
				local entries = call('HVALS', KEYS[3])
				open = 0
				for i = 1, #entries do
					if now < tonumber(string.match(entries[i], '^%d+ (%d+)')) then
						open = open + 1
					end
				end
			end
			conc_left = math.max(0, conc - open)
			if open >= conc then
				verdict, running, limit = 'CONCURRENCY', open, conc
			elseif budget >= 0 and budget_left <= 0 then
				running = math.max(1, open)
				verdict, limit = 'HELD', running
			elseif balance_left <= 0 then
				running = math.max(1, running)
				verdict, limit = 'HELD', running
			end
		end
	end

	-- Dead entries are looked for where they could be in the way, and now and then: one in 64 by
	-- the clock. Those of the account's other keys at most once a second.
	local sweep_after, taken = tonumber(ARGV[11]), 0
	if round == 1 and sweep_after >= 0 and (verdict == 'HELD' or
		(not verdict and open > 0 and open <= 256 and now % 64 == 0)) then
--@include abandon
		if verdict ~= 'HELD' or balance_left > 0 then
			taken = abandon(kid, now, sweep_after, ARGV[12])
		else
			local before = tonumber(call('HGET', KEYS[1], 'swept') or 0)
			if now - before < 0 or now - before >= 1000 then
				call('HSET', KEYS[1], 'swept', text(now))
				for _, field in ipairs(call('HKEYS', KEYS[1])) do
					local other = string.match(field, '^(%w+)%.status$')
					if other then
						taken = taken + abandon(other, now, sweep_after, ARGV[12])
					end
				end
			end
		end
	end
	if taken == 0 then
		break
	end
	b = call('HMGET', KEYS[1], 'balance', 'held', 'running', spent_field, held_field)
end

if verdict then
	return refuse(status, { verdict, now, 0, window, rpm, 0, full_for > 0 and now + full_for or 0, conc,
		conc_left, balance_left, budget_left, running, full_for, limit, budget, models })
end

local hold = math.min(whole(ARGV[6]), balance_left)
if budget >= 0 then
	hold = math.min(hold, budget_left)
	budget_left = budget_left - hold
end
local now_text = text(now)
call('HSET', KEYS[3], ARGV[4], string.format('%.0f %.0f 0 %s', hold, now + ARGV[9], window))
call('HSET', KEYS[1], 'held', text(held + hold), 'running', text(running + 1),
	held_field, text(held_here + hold), kid .. '.used', now_text)
local rpm_left = math.max(0, rpm - arrive(now_text))
if budget < 0 and models == '' then -- most keys; each element costs both sides
	return { 'OK', now, hold, window, rpm, rpm_left, now + 60000, conc, conc - open - 1,
		balance_left - hold, -1 }
end
return { 'OK', now, hold, window, rpm, rpm_left, now + 60000, conc, conc - open - 1,
	balance_left - hold, budget_left, 0, 0, 0, budget, models }
