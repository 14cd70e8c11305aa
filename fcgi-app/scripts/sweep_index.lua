#!lua flags=allow-oom
-- sweep_index - whose leases may all be over, and so whose entries are worth looking at?
--
-- KEYS  1 open: sorted set, account -> when its latest lease ends at the latest
-- ARGV  1 clock offset, ms   2 sweep after, ms   3 most accounts
--       then for each account that was looked through: account, its score as it was read, and when
--       the latest lease that is left ends: 0 none is left; below 0: it could not be looked through
-- Gives account, score, account, score ... of those whose score is sweep after old, oldest first.
--
-- A score that moved meanwhile is newer than what was found: it stays.
local call = redis.call
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[1]

for i = 4, #ARGV, 3 do
	local account, left = ARGV[i], tonumber(ARGV[i + 2])
	local score = call('ZSCORE', KEYS[1], account)
	if score and tonumber(score) == tonumber(ARGV[i + 1]) then
		if left == 0 then
			call('ZREM', KEYS[1], account)
		else
			call('ZADD', KEYS[1], string.format('%.0f', left > 0 and left or now), account)
		end
	end
end
return call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[2]), 'WITHSCORES',
	'LIMIT', '0', ARGV[3])
