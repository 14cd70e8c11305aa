#!lua flags=allow-oom
-- deposit_mark - what the watcher found out about a deposit, if it is still the one that was looked at.
--
-- KEYS  1 {dep:CHAIN}:tx:HASH:POS   2 {dep:CHAIN}:open   3 {dep:CHAIN}:senders
--       4 {dep:CHAIN}:unclaimed:FROM
-- ARGV  1 HASH:POS   2 from   3 its status when it was looked at   4 its generation then
--       5 credited, orphaned, reversed, final, good (its receipt is there) or missing
--       6 missing: which node says so
-- Reply { rounds in a row for which it is missing, by how many nodes }; 0 where it is another by now
--@include deposit_index
local row = call('HMGET', KEYS[1], 'status', 'generation', 'missing', 'missing_by')
if row[1] ~= ARGV[3] or row[2] ~= ARGV[4] then
	return 0
end
local what, n, by = ARGV[5], 0, row[4] or ''
local t = call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
if what == 'missing' then
	if not string.find(by, ARGV[6] .. ' ', 1, true) then
		by = by .. ARGV[6] .. ' '
	end
	n = (row[3] or 0) + 1
	call('HSET', KEYS[1], 'missing', string.format('%.0f', n), 'missing_by', by)
	local _, nodes = string.gsub(by, ' ', '')
	return { n, nodes }
end
if row[3] then
	call('HDEL', KEYS[1], 'missing', 'missing_by')
end
if what == 'final' then
	call('HSET', KEYS[1], 'final', now)
	call('ZREM', KEYS[2], ARGV[1])
elseif what ~= 'good' then
	call('HSET', KEYS[1], 'status', what, what, now)
	call('SREM', prefix .. 'pending', ARGV[1])
	call('SREM', prefix .. 'unclaimed', ARGV[1])
	if what ~= 'credited' then
		call('ZREM', KEYS[2], ARGV[1])
		call('SREM', KEYS[4], ARGV[1])
		if call('EXISTS', KEYS[4]) == 0 then
			call('ZREM', KEYS[3], ARGV[2])
		end
	end
end
return { 0, 0 }
