#!lua flags=allow-oom
-- lease_renew - requests of one account still run: move their leases, note what they cost so
-- far, and raise each hold to that cost plus one slice, as far as something is left. So an
-- overdraw is bounded by slices, not by answers.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 lease, ms   2 clock offset, ms   then for each: KID, request id, cost so far, slice, window,
--       what that cost is made of: "LIST IN CW5 CW1 CR OUT WEB PRICE-DATE PROVIDER MODEL", or ''
-- Gives the number renewed.
--
-- An entry that Redis has lost (a replica took over, say) is there again; one that was settled or
-- abandoned has a receipt and stays away.
--@include common
local prefix = string.sub(KEYS[1], 1, -8)
local expiry = text(clock(ARGV[2]) + ARGV[1])
local f = call('HMGET', KEYS[1], 'balance', 'held', 'running')
if not f[1] then
	return 0 -- no such account: nothing to lease
end
local balance, held, running = whole(f[1]), whole(f[2], 0), whole(f[3], 0)
local moved, renewed = false, 0

-- What may be held beyond what is: of the balance, and of the key's budget where it has one.
local function left(kid, window)
	local k = call('HMGET', KEYS[1], kid .. '.budget', kid .. '.spent:' .. window, kid .. '.held:' .. window)
	local free = balance - held
	if k[1] and k[1] ~= '' then
		free = math.min(free, whole(k[1]) - whole(k[2], 0) - whole(k[3], 0))
	end
	return math.max(0, free)
end

for i = 3, #ARGV, 6 do
	local kid, id, cost, window = ARGV[i], ARGV[i + 1], whole(ARGV[i + 2]), ARGV[i + 4]
	local made_of = ARGV[i + 5] ~= '' and ' ' .. ARGV[i + 5] or ''
	local open, hold = prefix .. 'open:' .. kid, 0
	local entry = call('HGET', open, id)
	if entry then
		local held_text, held_window = string.match(entry, '^(%d+) %d+ %d+ (%S+)')
		hold, window = whole(held_text), held_window
	end
	if entry or call('EXISTS', prefix .. 'receipt:' .. id) == 0 then
		local more = cost + whole(ARGV[i + 3]) - hold
		if more > 0 then
			more = math.min(more, left(kid, window))
		end
		if more > 0 then
			call('HINCRBY', KEYS[1], kid .. '.held:' .. window, text(more))
			hold, held, moved = hold + more, held + more, true
		end
		if not entry then
			running, moved = running + 1, true
		end
		call('HSET', open, id, string.format('%.0f %s %.0f %s%s', hold, expiry, cost, window, made_of))
		renewed = renewed + 1
	end
end
if moved then
	call('HSET', KEYS[1], 'held', text(held), 'running', text(running))
end
return renewed
