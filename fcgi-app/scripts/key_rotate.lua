-- key_rotate - a new secret for a key; the one before it works on until its grace is over. Of two
-- rotations in a row only the last secret has a grace.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 KID   2 SHA-256 of the new secret   3 grace, ms   4 clock offset, ms
-- Reply 'NONE', 'DELETED', or the time in ms until which the old one works
--@include common
local kid = ARGV[1]
local f = call('HMGET', KEYS[1], kid .. '.status', kid .. '.sha')
if not f[1] then
	return 'NONE'
end
if f[1] == 'deleted' or not f[2] then
	return 'DELETED'
end
local until_ms = text(clock(ARGV[4]) + ARGV[3])
call('HSET', KEYS[1], kid .. '.sha', ARGV[2], kid .. '.old_sha', f[2], kid .. '.old_until', until_ms)
return until_ms
