-- key_state - what the owner of a key may see of it. `rpm` and `conc` are those of a key that names none.
--
-- Needs common.lua and window.lua.
-- Gives { 'OK', now, name, created, expires, used, rpm, arrivals in the minute, concurrency, running,
--         budget (-1: none), period, window, spent, held, spent in all, balance, held of the account,
--         running of the account, models, time zone ('': UTC), when the window ends (ms; 0: never),
--         KID, status, until when the secret before a rotation works (0: there was none) }
local function fresh_arrivals(list, now)
	local n = call('LLEN', list)
	local low, high = 0, n -- the first fresh one is somewhere in low..high
	while low < high do
		local middle = math.floor((low + high) / 2)
		if now - call('LINDEX', list, middle) >= 60000 then
			low = middle + 1
		else
			high = middle
		end
	end
	return n - low
end

local function live_entries(hash, now)
	local entries, n = call('HVALS', hash), 0
	for i = 1, #entries do
		if now < tonumber(string.match(entries[i], '^%d+ (%d+)')) then
			n = n + 1
		end
	end
	return n
end

-- The first ms of another window: looked for, since the day on which summer time changes has 23
-- or 25 hours, and a midnight may be left out.
local function window_end(window, period, now, offsets)
	if window == 'total' then
		return 0
	end
	local inside, beyond = now, now + (period == 'day' and 26 or 33 * 24) * 3600000
	while beyond - inside > 1 do
		local middle = math.floor((inside + beyond) / 2)
		if window_of(period, middle, offsets) == window then
			inside = middle
		else
			beyond = middle
		end
	end
	return beyond
end

local function key_state(kid, now, rpm, conc)
	local prefix = string.sub(KEYS[1], 1, -8) -- '{a:ACCT}:'
	local f = call('HMGET', KEYS[1], kid .. '.name', kid .. '.created', kid .. '.expires', kid .. '.used',
		kid .. '.rpm', kid .. '.conc', kid .. '.budget', kid .. '.period', kid .. '.models',
		kid .. '.status', kid .. '.old_until', 'balance', 'held', 'running', 'tz')
	local budget, period = -1, 'total'
	if f[7] and f[7] ~= '' then
		budget = whole(f[7])
		if f[8] == 'day' or f[8] == 'month' then
			period = f[8]
		end
	end
	local offsets = period ~= 'total' and call('HGET', KEYS[1], 'tz_offsets')
	local window = window_of(period, now, offsets)
	local w = call('HMGET', KEYS[1], kid .. '.spent:' .. window, kid .. '.held:' .. window,
		kid .. '.spent:total')
	return { 'OK', now, f[1] or '', whole(f[2], 0), whole(f[3], 0), whole(f[4], 0), whole(f[5], rpm),
		fresh_arrivals(prefix .. 'recent:' .. kid, now), whole(f[6], conc),
		live_entries(prefix .. 'open:' .. kid, now), budget, period, window, whole(w[1], 0),
		whole(w[2], 0), whole(w[3], 0), whole(f[12], 0), whole(f[13], 0), whole(f[14], 0), f[9] or '',
		f[15] or '', window_end(window, period, now, offsets), kid, f[10] or '', whole(f[11], 0) }
end
