#!lua flags=allow-oom
-- deposit_credit - a deposit's amount goes to its account: once for each generation of the deposit,
-- however often this is called.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:ledger   3 {a:ACCT}:deposits
-- ARGV  1 CHAIN:HASH:POS   2 generation   3 nano-USD   4 reason, for people
-- Reply { balance after, 1 }; { balance, 0 } where it had been credited or taken back before;
--       'NONE' no such account; 'RANGE' the balance would be above 2^53: nothing was changed
--@include common
local balance = call('HGET', KEYS[1], 'balance')
if not balance then
	return 'NONE'
end
balance = whole(balance)
local before = call('HGET', KEYS[3], ARGV[1])
if before then
	local state, generation = string.match(before, '^(%a+) (%d+) ')
	if state ~= 'reversed' or tonumber(generation) >= tonumber(ARGV[2]) then
		return { text(balance), 0 }
	end
end
local nano = tonumber(ARGV[3])
if nano < 0 or nano > MOST or balance + nano > MOST then
	return 'RANGE'
end
local after = text(call('HINCRBY', KEYS[1], 'balance', text(nano)))
call('HSET', KEYS[3], ARGV[1], 'credited ' .. ARGV[2] .. ' ' .. text(nano))
call('XADD', KEYS[2], '*', 'type', 'deposit', 'nano', text(nano), 'balance', after, 'reason', ARGV[4],
	'deposit', ARGV[1])
return { after, 1 }
