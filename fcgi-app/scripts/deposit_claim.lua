#!lua flags=allow-oom
-- deposit_claim - an unclaimed deposit gets its account, once and for all. Nothing is credited here:
-- it is pending again, and the watcher looks at its receipt first.
--
-- KEYS  1 {dep:CHAIN}:tx:HASH:POS   2 {dep:CHAIN}:open   3 {dep:CHAIN}:senders
--       4 {dep:CHAIN}:unclaimed:FROM
-- ARGV  1 HASH:POS   2 from   3 account   4 who says so: wallet or operator   5 reason
-- Reply 'OK'; or what stands in the way: 'NONE' no such deposit, 'BIG' above 2^53, else its status
--@include deposit_index
local row = call('HMGET', KEYS[1], 'status', 'nano', 'block', 'from', 'why', 'seen')
if not row[1] or row[4] ~= ARGV[2] then
	return 'NONE'
end
if row[1] ~= 'unclaimed' then
	return row[1]
end
if tonumber(row[2]) < 0 then
	return 'BIG'
end
if ARGV[4] == 'wallet' and row[5] ~= '' then
	return row[1]
end
local t = call('TIME')
call('HSET', KEYS[1], 'status', 'pending', 'account', ARGV[3], 'claimed_by', ARGV[4], 'reason', ARGV[5], 'claimed',
	string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
call('HDEL', KEYS[1], 'final')
call('ZADD', KEYS[2], row[3], ARGV[1])
call('SREM', KEYS[4], ARGV[1])
if call('EXISTS', KEYS[4]) == 0 then
	call('ZREM', KEYS[3], ARGV[2])
end
index(ARGV[1], ARGV[2], ARGV[3], 'pending', '', row[6])
return 'OK'
