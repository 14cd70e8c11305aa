#!lua flags=no-writes
-- key_read - everything about a key that whoever holds it may see (GET /v1/key).
--
-- KEYS  1 {a:ACCT}:account  2 {a:ACCT}:recent:KID  3 {a:ACCT}:open:KID
-- ARGV  1 KID   2 SHA-256 of the secret   3 rpm, 4 concurrency of a key that names none
--       5 clock offset, ms
-- Gives { 'BAD_KEY' }, { 'SUSPENDED' } or { 'OK', now, name, created, expires, used, rpm, arrivals in the minute,
--         concurrency, running, budget (-1: none), period, window, spent, held, spent in all,
--         balance, held of the account, running of the account, models, time zone ('': UTC),
--         when the window ends (ms; 0: never) }
--@include common
--@include secret
--@include window
local kid, now = ARGV[1], clock(ARGV[5])
local f = call('HMGET', KEYS[1], 'status', kid .. '.sha', kid .. '.status', kid .. '.expires',
	kid .. '.name', kid .. '.created', kid .. '.used', kid .. '.rpm', kid .. '.conc',
	kid .. '.budget', kid .. '.period', 'balance', 'held', 'running', kid .. '.models', 'tz')
local expires = whole(f[4], 0)

if f[1] == 'suspended' and opens(kid, f[2], ARGV[2], now) then
	return { 'SUSPENDED' }
end
if not opens(kid, f[2], ARGV[2], now) or f[1] ~= 'on' or f[3] ~= 'on' or (expires > 0 and expires <= now) then
	return { 'BAD_KEY' }
end

local function fresh_arrivals()
	local n = call('LLEN', KEYS[2])
	local low, high = 0, n -- the first fresh one is somewhere in low..high
	while low < high do
		local middle = math.floor((low + high) / 2)
		if now - call('LINDEX', KEYS[2], middle) >= 60000 then
			low = middle + 1
		else
			high = middle
		end
	end
	return n - low
end

local function live_entries()
	local entries, n = call('HVALS', KEYS[3]), 0
	for i = 1, #entries do
		if now < tonumber(string.match(entries[i], '^%d+ (%d+)')) then
			n = n + 1
		end
	end
	return n
end

local budget, period = -1, 'total'
if f[10] and f[10] ~= '' then
	budget = whole(f[10])
	if f[11] == 'day' or f[11] == 'month' then
		period = f[11]
	end
end
local offsets = period ~= 'total' and call('HGET', KEYS[1], 'tz_offsets')
local window = window_of(period, now, offsets)

-- The first ms of another window: looked for, since the day on which summer time changes has 23
-- or 25 hours, and a midnight may be left out.
local function window_end()
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

local w = call('HMGET', KEYS[1], kid .. '.spent:' .. window, kid .. '.held:' .. window,
	kid .. '.spent:total')
return { 'OK', now, f[5] or '', whole(f[6], 0), expires, whole(f[7], 0), whole(f[8], whole(ARGV[3])),
	fresh_arrivals(), whole(f[9], whole(ARGV[4])), live_entries(), budget, period, window,
	whole(w[1], 0), whole(w[2], 0), whole(w[3], 0), whole(f[12], 0), whole(f[13], 0),
	whole(f[14], 0), f[15] or '', f[16] or '', window_end() }
