#!lua flags=allow-oom
-- deposit_load - all that a round of following a chain needs to know.
--
-- KEYS  1 {dep:CHAIN}:state   2 {dep:CHAIN}:checkpoints   3 {dep:CHAIN}:open   4 {dep:CHAIN}:senders
-- ARGV  1 first of the open deposits   2 most of them   3 prefix of a deposit's key: "{dep:CHAIN}:tx:"
--       4 first sender   5 most of them
-- Reply { {state ...}, {"BLOCK HASH" newest first ...}, {{id, field, value ...} ...}, {sender ...} }
local call = redis.call
local open = {}
for _, id in ipairs(call('ZRANGE', KEYS[3], ARGV[1], ARGV[1] + ARGV[2] - 1)) do
	local row = call('HGETALL', ARGV[3] .. id)
	table.insert(row, 1, id)
	open[#open + 1] = row
end
return { call('HGETALL', KEYS[1]), call('ZREVRANGE', KEYS[2], 0, 63), open,
	call('ZRANGE', KEYS[4], ARGV[4], ARGV[4] + ARGV[5] - 1) }
