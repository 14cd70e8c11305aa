-- session_add - a wallet has logged in: its account, made at the first time, and a new session.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:sessions   3 {a:ACCT}:wallets
-- ARGV  1 session's id   2 SHA-256 of its secret   3 wallet   4 life of the session, ms
--       5 most sessions of an account: the oldest go   6 clock offset, ms
-- Gives { 'OK', made, ends, 1 where the account is new }; { 'SUSPENDED' }; { 'TAKEN' }: there is such an id
--@include common
local now, is_new = clock(ARGV[6]), 0
local status = call('HGET', KEYS[1], 'status')
if status and status ~= 'on' then
	return { 'SUSPENDED' }
end
if call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
	return { 'TAKEN' }
end
if not status then
	call('HSET', KEYS[1], 'status', 'on', 'name', '', 'balance', '0', 'held', '0', 'running', '0', 'created',
		text(now))
	is_new = 1
end
call('HSETNX', KEYS[3], ARGV[3], text(now))

local running, entries = {}, call('HGETALL', KEYS[2])
for i = 1, #entries, 2 do
	local made, ends = string.match(entries[i + 1], ' (%d+) (%d+)$')
	if not ends or tonumber(ends) <= now then
		call('HDEL', KEYS[2], entries[i])
	else
		running[#running + 1] = { id = entries[i], made = tonumber(made) }
	end
end
table.sort(running, function(a, b)
	return a.made < b.made
end)
for i = 1, #running - tonumber(ARGV[5]) + 1 do
	call('HDEL', KEYS[2], running[i].id)
end
local ends = now + tonumber(ARGV[4])
call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. text(now) .. ' ' .. text(ends))
return { 'OK', now, ends, is_new }
