#!lua flags=no-writes
-- key_read - everything about a key that whoever holds it may see (GET /v1/key).
--
-- KEYS  1 {a:ACCT}:account  2 {a:ACCT}:recent:KID  3 {a:ACCT}:open:KID
-- ARGV  1 KID   2 SHA-256 of the secret   3 rpm, 4 concurrency of a key that names none
--       5 clock offset, ms
-- Gives { 'BAD_KEY' }, { 'SUSPENDED' } or what key_state.lua lists
--@include common
--@include secret
--@include window
--@include key_state
local kid, now = ARGV[1], clock(ARGV[5])
local f = call('HMGET', KEYS[1], 'status', kid .. '.sha', kid .. '.status', kid .. '.expires')
local expires = whole(f[4], 0)

if f[1] == 'suspended' and opens(kid, f[2], ARGV[2], now) then
	return { 'SUSPENDED' }
end
if not opens(kid, f[2], ARGV[2], now) or f[1] ~= 'on' or f[3] ~= 'on' or (expires > 0 and expires <= now) then
	return { 'BAD_KEY' }
end
return key_state(kid, now, whole(ARGV[3]), whole(ARGV[4]))
