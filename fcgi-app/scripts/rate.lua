-- rate - count one more call in the running window; above the limit it is one too many.
--
-- KEYS  1 the counter
-- ARGV  1 most in a window   2 its length, ms
-- Gives 0, or the ms until the window ends where it was one too many
local call = redis.call
local n = call('INCR', KEYS[1])
if n == 1 then
	call('PEXPIRE', KEYS[1], ARGV[2])
end
if n <= tonumber(ARGV[1]) then
	return 0
end
return math.max(1, call('PTTL', KEYS[1]))
