#!lua flags=allow-oom
-- deposit_advance - a cursor moves, unless it has been moved by somebody else meanwhile.
--
-- KEYS  1 {dep:CHAIN}:state   2 {dep:CHAIN}:checkpoints
-- ARGV  1 next or final_next   2 the cursor as it was read ('' none)   3 the new one
--       4 "BLOCK HASH" of the last block that was looked through, or ''
--       5 drop the checkpoints above this block, or ''   6 ... and below this one, or ''
-- Reply 1; 0 where it was moved
local call = redis.call
if (call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
	return 0
end
call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[5] ~= '' then
	call('ZREMRANGEBYSCORE', KEYS[2], '(' .. ARGV[5], '+inf')
end
if ARGV[6] ~= '' then
	call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[6])
end
if ARGV[4] ~= '' then
	local block = string.match(ARGV[4], '^%d+')
	call('ZREMRANGEBYSCORE', KEYS[2], block, block)
	call('ZADD', KEYS[2], block, ARGV[4])
	call('ZREMRANGEBYRANK', KEYS[2], 0, -513)
end
return 1
