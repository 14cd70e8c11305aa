#!lua flags=allow-oom
-- deposit_reverse - the chain has lost a deposit that was credited: it is taken back, and the balance
-- may go below zero. A credit of this generation that still comes is too late.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:ledger   3 {a:ACCT}:deposits
-- ARGV  1 CHAIN:HASH:POS   2 generation   3 reason, for people
-- Reply { balance after, 1 }; { balance, 0 } where nothing was to be taken back; 'NONE' no such account
--@include common
local balance = call('HGET', KEYS[1], 'balance')
if not balance then
	return 'NONE'
end
balance = whole(balance)
local before = call('HGET', KEYS[3], ARGV[1])
local state, generation, amount = string.match(before or '', '^(%a+) (%d+) (%d+)$')
if state ~= 'credited' or tonumber(generation) > tonumber(ARGV[2]) then
	if not before then
		call('HSET', KEYS[3], ARGV[1], 'reversed ' .. ARGV[2] .. ' 0')
	end
	return { text(balance), 0 }
end
local nano = whole(amount)
local after = text(call('HINCRBY', KEYS[1], 'balance', text(-nano)))
call('HSET', KEYS[3], ARGV[1], 'reversed ' .. ARGV[2] .. ' ' .. text(nano))
call('XADD', KEYS[2], '*', 'type', 'reversal', 'nano', text(-nano), 'balance', after, 'reason', ARGV[3],
	'deposit', ARGV[1])
return { after, 1 }
