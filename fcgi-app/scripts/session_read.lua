-- session_read - does this session of the dashboard run, and may its account call again?
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:sessions   3 {a:ACCT}:api
-- ARGV  1 session's id   2 SHA-256 of its secret   3 calls a minute   4 clock offset, ms
-- Gives { 'OK', wallet, made, ends }; { 'NONE' }: no such session, or it has ended;
--       { 'SUSPENDED' }: its account is; { 'TOO_OFTEN', ms until it may }
--@include common
local session, now = call('HGET', KEYS[2], ARGV[1]), clock(ARGV[4])
local sha, wallet, made, ends = string.match(session or '', '^(%x+) (%S+) (%d+) (%d+)$')
if not sha or sha ~= ARGV[2] or whole(ends) <= now then
	return { 'NONE' }
end
local status = call('HGET', KEYS[1], 'status')
if status ~= 'on' then
	return { status and 'SUSPENDED' or 'NONE' }
end
local calls = call('INCR', KEYS[3])
if calls == 1 then
	call('PEXPIRE', KEYS[3], 60000)
elseif calls > tonumber(ARGV[3]) then
	return { 'TOO_OFTEN', math.max(1, call('PTTL', KEYS[3])) }
end
return { 'OK', wallet, whole(made), whole(ends) }
