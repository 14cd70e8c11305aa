#!lua flags=no-writes
-- account_read - an account's books at one moment, all but its ledger: that only grows, so what
-- stands in it up to the row named here belongs to this moment too.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:ledger   3 {a:ACCT}:opening
-- Gives { id of the ledger's last row or '', { field, value, ... } of the account,
--         { field, value, ... } of the opening, { KID, request id, entry, ... } of all that runs }
local call = redis.call
local last = call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', '1')
local account, running = call('HGETALL', KEYS[1]), {}
local prefix = string.sub(KEYS[1], 1, -8)

for i = 1, #account, 2 do
	local kid = string.match(account[i], '^(%w+)%.status$')
	if kid then
		local entries = call('HGETALL', prefix .. 'open:' .. kid)
		for e = 1, #entries, 2 do
			running[#running + 1] = kid
			running[#running + 1] = entries[e]
			running[#running + 1] = entries[e + 1]
		end
	end
end
return { last[1] and last[1][1] or '', account, call('HGETALL', KEYS[3]), running }
