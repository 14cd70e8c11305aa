#!lua flags=allow-oom
-- deposit_seen - a transfer to the treasury stands in a block. Idempotent; one that was given up
-- lives again, as the next generation of itself.
--
-- KEYS  1 {dep:CHAIN}:tx:HASH:POS   2 {dep:CHAIN}:open   3 {dep:CHAIN}:all   4 {dep:CHAIN}:senders
--       5 {dep:CHAIN}:unclaimed:FROM
-- ARGV  1 HASH:POS   2 from   3 units as in the log   4 nano-USD   5 block   6 block hash   7 log index
--       8 account, '' where the sender is nobody's wallet   9 why it cannot be credited, or ''
-- Reply the status
--
-- Indexes beside it, whose names are made here since they share the hash tag (deposit_index.lua).
--@include deposit_index
local t = call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
local old = call('HMGET', KEYS[1], 'status', 'generation', 'account', 'block_hash', 'final', 'why',
	'seen')
local status = old[1]
if status and status ~= 'orphaned' and status ~= 'reversed' then
	if old[4] ~= ARGV[6] and not old[5] then
		call('HSET', KEYS[1], 'block', ARGV[5], 'block_hash', ARGV[6], 'log_index', ARGV[7])
		call('HDEL', KEYS[1], 'missing', 'missing_by')
	end
	index(ARGV[1], ARGV[2], old[3], status, old[6] or '', old[7])
	return status
end
local account = old[3] or ''
if account == '' and ARGV[9] == '' then
	account = ARGV[8]
end
status = account ~= '' and 'pending' or 'unclaimed'
call('HSET', KEYS[1], 'status', status, 'generation', string.format('%.0f', (old[2] or 0) + 1), 'from', ARGV[2],
	'units', ARGV[3], 'nano', ARGV[4], 'block', ARGV[5], 'block_hash', ARGV[6], 'log_index', ARGV[7],
	'account', account, 'why', ARGV[9], 'seen', now)
call('HDEL', KEYS[1], 'final', 'missing', 'missing_by')
call('ZADD', KEYS[2], ARGV[5], ARGV[1])
call('ZADD', KEYS[3], 'NX', now, ARGV[1])
if status == 'unclaimed' and ARGV[9] == '' then
	call('SADD', KEYS[5], ARGV[1])
	call('ZADD', KEYS[4], '0', ARGV[2])
end
index(ARGV[1], ARGV[2], account, status, ARGV[9], now)
return status
