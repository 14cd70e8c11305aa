#!lua flags=no-writes
-- account_me - an account as its owner may see it.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:wallets
-- Gives { name, status, created (ms), time zone ('': UTC), balance, held, running, spent by all keys
--         ever, keys that are not deleted, wallets }; nothing where there is no such account
--@include common
local f = call('HMGET', KEYS[1], 'name', 'status', 'created', 'tz', 'balance', 'held', 'running')
if not f[2] then
	return {}
end
local all, spent, keys = call('HGETALL', KEYS[1]), 0, 0
for i = 1, #all, 2 do
	local what = string.match(all[i], '^%w+%.(.+)$')
	if what == 'spent:total' then
		spent = spent + whole(all[i + 1])
	elseif what == 'status' and all[i + 1] ~= 'deleted' then
		keys = keys + 1
	end
end
return { f[1] or '', f[2], whole(f[3], 0), f[4] or '', whole(f[5], 0), whole(f[6], 0), whole(f[7], 0),
	spent, keys, call('HLEN', KEYS[2]) }
