-- session_end - end one session of an account, or all but one.
--
-- KEYS  1 {a:ACCT}:sessions
-- ARGV  1 the id to end; '' all   2 with '': the id to keep, or ''
-- Gives how many were ended
local call = redis.call
if ARGV[1] ~= '' then
	return call('HDEL', KEYS[1], ARGV[1])
end
local ended = 0
for _, id in ipairs(call('HKEYS', KEYS[1])) do
	if id ~= ARGV[2] then
		ended = ended + call('HDEL', KEYS[1], id)
	end
end
return ended
