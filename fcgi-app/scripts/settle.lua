#!lua flags=allow-oom
-- settle - book what a request cost and give back what it held. Always lands: a balance may go
-- below zero, and a hold that is gone does not stop the charge.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:open:KID   3 {a:ACCT}:receipt:REQ
--       4 {a:ACCT}:ledger    5 {a:ACCT}:requests   6 {a:ACCT}:recent:KID
-- ARGV  1 KID   2 request id   3 charge   4 window of the admission
--       5 receipt: JSON without its last brace; '': the booking is only given back
--       6 life of the receipt, ms   7 arrival to take out of the minute, or ''
--       8 model   9 provider   10 price date   tokens: 11 input   12, 13 written to the cache
--       for 5 min, for 1 h   14 read from it   15 output   16 web searches
--       17 flags   18 status   19 error   20 the charge without the operator's markup; '': it is not
--       known (told by an older version), and taken to be the charge
-- Gives { 'BOOKED' or 'LATE', balance after }; { 'BEFORE' } where it was booked already.
--@include common
local kid, id, window, flags = ARGV[1], ARGV[2], ARGV[4], ARGV[17]
local charge, giving_back = whole(ARGV[3]), ARGV[5] == ''
local list = ARGV[20] and ARGV[20] ~= '' and ARGV[20] or ARGV[3]
local result, abandoned, abandoned_list = 'BOOKED', nil, nil

-- The receipt is the mark of what is booked. One that a sweep left names what was charged.
local before = call('GET', KEYS[3])
if before then
	abandoned = string.match(before, '^{"abandoned_nano_usd":(%d+),')
	if not abandoned or giving_back then
		return { 'BEFORE' }
	end
	abandoned_list = string.match(before, '"list_nano_usd":(%d+)')
	charge, result = charge - abandoned, 'LATE'
	flags = flags == '' and 'late' or 'late ' .. flags
end

-- Only what the entry held is given back: nothing, where it was swept.
local entry, hold = call('HGET', KEYS[2], id), 0
if entry then
	local held_text, held_window = string.match(entry, '^(%d+) %d+ %d+ (%S+)')
	hold, window = whole(held_text), held_window
elseif giving_back then
	return { 'BEFORE' }
end

local spent_field, held_field, total_field = kid .. '.spent:' .. window, kid .. '.held:' .. window,
	kid .. '.spent:total'
local f = call('HMGET', KEYS[1], 'balance', 'held', 'running', held_field, total_field, spent_field)
-- Beyond nine million dollars the books stop moving instead of losing digits.
local balance = math.max(-MOST, whole(f[1], 0) - charge)
local held, running = whole(f[2], 0) - hold, whole(f[3], 0) - (entry and 1 or 0)
local held_here, total = whole(f[4], 0) - hold, math.min(MOST, whole(f[5], 0) + charge)
local spent = math.min(MOST, whole(f[6], 0) + charge)
local balance_text = text(balance)

if not giving_back then
	call('SET', KEYS[3], ARGV[5] .. ',"refund_nano_usd":' .. text(math.max(0, hold - whole(ARGV[3]))) ..
		',"balance_after_nano_usd":' .. balance_text .. '}', 'PX', ARGV[6])
end
if window == 'total' then
	call('HSET', KEYS[1], 'balance', balance_text, 'held', text(held), 'running', text(running),
		held_field, text(held_here), total_field, text(total))
else
	call('HSET', KEYS[1], 'balance', balance_text, 'held', text(held), 'running', text(running),
		held_field, text(held_here), total_field, text(total), spent_field, text(spent))
end
if entry then
	call('HDEL', KEYS[2], id)
	if ARGV[7] ~= '' then
		call('LREM', KEYS[6], '-1', ARGV[7])
	end
end
if giving_back then
	return { result, balance }
end
-- A late row moves the balance by the difference alone; `was` names what it differs from, so that
-- its tokens and money can be told together; `waslist` the same without markup, where the abandoned
-- row knew who had served it.
if charge ~= 0 or ARGV[11] ~= '0' or ARGV[12] ~= '0' or ARGV[13] ~= '0' or ARGV[14] ~= '0' or
	ARGV[15] ~= '0' or ARGV[16] ~= '0' then
	call('XADD', KEYS[4], '*', 'type', 'charge', 'req', id, 'key', kid, 'nano', text(-charge),
		'balance', balance_text, 'model', ARGV[8], 'provider', ARGV[9], 'price', ARGV[10],
		'in', ARGV[11], 'cw5', ARGV[12], 'cw1', ARGV[13], 'cr', ARGV[14], 'out', ARGV[15],
		'web', ARGV[16], 'flags', flags, 'window', window, 'list', list, 'was', abandoned or '', 'waslist', abandoned_list or '')
end
call('XADD', KEYS[5], 'MAXLEN', '~', '10000', '*', 'req', id, 'key', kid, 'model', ARGV[8],
	'status', ARGV[18], 'error', ARGV[19])
return { result, balance }
