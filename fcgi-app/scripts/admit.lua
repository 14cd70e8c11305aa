#!lua
-- admit - may this API key make this request now? If it may: book it.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:recent:KID, or :counts:KID for mode C
--       3 {a:ACCT}:open:KID  4 {a:ACCT}:requests
-- ARGV  1 mode: F full, K key only, C count_tokens
--       2 KID   3 SHA-256 of the secret   4 request id   5 model, '' unknown
--       6 estimate   7 rpm of a key that names none (C: the limit of count_tokens)
--       8 concurrency likewise   9 lease, ms   10 clock offset, ms
--       11 sweep after, ms; below 0: nothing is swept   12 life of an abandoned one's receipt, ms
-- Gives { verdict, now, hold, window, rpm, rpm left, rpm reset, concurrency, concurrency left,
--         balance left, budget left (-1: none), running, retry after, limit, budget, models }
--
-- Everything is read and checked before the first write, since Redis does not roll back. The
-- one exception, abandoning dead entries, is complete in itself whatever comes after it.
--@include common
--@include secret
--@include window
local mode, kid, now = ARGV[1], ARGV[2], clock(ARGV[10])
local f = call('HMGET', KEYS[1], 'status', kid .. '.sha', kid .. '.status', kid .. '.expires',
	kid .. '.models', 'balance', 'held', 'running', kid .. '.rpm', kid .. '.conc',
	kid .. '.budget', kid .. '.period', kid .. '.spent:total', kid .. '.held:total')
local models = f[5] or ''

-- What is found out on the way; refusals tell it too.
local hold, window, rpm, rpm_left, rpm_reset, conc, conc_left = 0, '', 0, 0, 0, 0, 0
local balance_left, budget_left, running, retry_after, limit, budget = 0, -1, 0, 0, 0, -1

local function answer(verdict)
	return { verdict, now, hold, window, rpm, rpm_left, rpm_reset, conc, conc_left,
		balance_left, budget_left, running, retry_after, limit, budget, models }
end

-- A refused request has no receipt; its id stands among the account's last ones.
local function refuse(verdict, status)
	call('XADD', KEYS[4], 'MAXLEN', '~', '10000', '*', 'req', ARGV[4], 'key', kid, 'model', ARGV[5],
		'status', status, 'error', verdict)
	return answer(verdict)
end

-- Whoever does not know the secret writes nothing and learns nothing.
if not opens(kid, f[2], ARGV[3], now) then
	return answer('BAD_KEY')
end
local expires = whole(f[4], 0)
if f[1] ~= 'on' or f[3] ~= 'on' or (expires > 0 and expires <= now) then
	return refuse('BAD_KEY', 401)
end
if mode == 'K' then
	return answer('OK')
end
if models ~= '' and ARGV[5] ~= '' and
	not string.find(',' .. models .. ',', ',' .. ARGV[5] .. ',', 1, true) then
	return refuse('MODEL_UNAVAILABLE', 400)
end

-- The sliding minute: full while the rpm-th arrival, counted from the newest, is younger than a
-- minute. A clock that was set back makes ages negative: they count as 0. A limit of 0 is always
-- reached.
local function minute_is_full()
	local nth = rpm > 0 and call('LINDEX', KEYS[2], -rpm) or rpm <= 0 and now
	if not nth or now - nth >= 60000 then
		return false
	end
	retry_after, limit = math.min(60000, 60000 - (now - nth)), rpm
	rpm_reset = now + retry_after
	return true
end

-- Note this arrival. Arrivals older than a minute go when the oldest has become one; a list not
-- in use any more lapses. (It cannot lapse in use: each push finds the head stale once a minute
-- is over, and then moves the date on.)
local function arrive()
	local n = call('RPUSH', KEYS[2], text(now))
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
	rpm_left = math.max(0, rpm - n)
	rpm_reset = now + 60000
end

if mode == 'C' then
	rpm = whole(ARGV[7])
	if minute_is_full() then
		return refuse('RPM', 429)
	end
	arrive()
	return answer('OK')
end

rpm, conc = whole(f[9], whole(ARGV[7])), whole(f[10], whole(ARGV[8]))
if f[11] and f[11] ~= '' then
	budget = whole(f[11])
	window = window_of(f[12], now, f[12] ~= 'total' and call('HGET', KEYS[1], 'tz_offsets'))
else
	window = 'total'
end
local balance, held, spent, held_here, open

local function take_over(b, h, r, s, k)
	balance, held, running, spent, held_here = whole(b, 0), whole(h, 0), whole(r, 0), whole(s, 0), whole(k, 0)
end

local function read_again()
	take_over(unpack(call('HMGET', KEYS[1], 'balance', 'held', 'running',
		kid .. '.spent:' .. window, kid .. '.held:' .. window)))
end

if window == 'total' then
	take_over(f[6], f[7], f[8], f[13], f[14])
else
	read_again()
end

-- Running are the entries whose lease has not lapsed; they are counted one by one only where
-- the limit seems reached.
local function count_open()
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
end

-- The limits in their order; nil where nothing is in the way. Reads only.
local function verdict_now()
	balance_left = balance - held
	if budget >= 0 then
		budget_left = math.max(0, budget - spent - held_here)
	end
	if balance <= 0 then
		return 'BALANCE', 402
	end
	if budget >= 0 and budget - spent <= 0 then
		return 'BUDGET', 402
	end
	if minute_is_full() then
		return 'RPM', 429
	end
	count_open()
	conc_left = math.max(0, conc - open)
	if open >= conc then
		running, limit = open, conc
		return 'CONCURRENCY', 429
	end
	if budget >= 0 and budget_left <= 0 then
		running = math.max(1, open)
		limit = running
		return 'HELD', 429
	end
	if balance_left <= 0 then
		running = math.max(1, running)
		limit = running
		return 'HELD', 429
	end
end

local verdict, status = verdict_now()
local sweep_after = tonumber(ARGV[11])

-- Dead entries are looked for where they could be in the way, and now and then: one in 64 by
-- the clock. Those of the account's other keys at most once a second.
--@include abandon
local function sweep()
	if verdict == 'HELD' and balance_left <= 0 then
		local before = tonumber(call('HGET', KEYS[1], 'swept') or 0)
		local taken = 0
		if now - before >= 0 and now - before < 1000 then
			return 0
		end
		call('HSET', KEYS[1], 'swept', text(now))
		for _, field in ipairs(call('HKEYS', KEYS[1])) do
			local other = string.match(field, '^(%w+)%.status$')
			if other then
				taken = taken + abandon(other, now, sweep_after, ARGV[12])
			end
		end
		return taken
	end
	return abandon(kid, now, sweep_after, ARGV[12])
end

if sweep_after >= 0 and (verdict == 'HELD' or
	(not verdict and open > 0 and open <= 256 and now % 64 == 0)) and sweep() > 0 then
	read_again()
	verdict, status = verdict_now()
end
if verdict then
	return refuse(verdict, status)
end

hold = math.min(whole(ARGV[6]), balance_left)
if budget >= 0 then
	hold = math.min(hold, budget_left)
	budget_left = budget_left - hold
end
balance_left, conc_left, running = balance_left - hold, conc - open - 1, running + 1
call('HSET', KEYS[3], ARGV[4], string.format('%.0f %.0f 0 %s', hold, now + ARGV[9], window))
call('HSET', KEYS[1], 'held', text(held + hold), 'running', running,
	kid .. '.held:' .. window, text(held_here + hold), kid .. '.used', text(now))
arrive()
return answer('OK')
