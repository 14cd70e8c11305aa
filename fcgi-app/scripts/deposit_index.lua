-- deposit_index - where a deposit is found, whatever its id: beside its row, on the same slot.
--
-- {dep:CHAIN}:by:ACCT      sorted set of the account's deposits, by when they were first seen (ms)
-- {dep:CHAIN}:from:FROM    the same of the sender's
-- {dep:CHAIN}:pending      set: wait for confirmations
-- {dep:CHAIN}:unclaimed    set: wait for an owner, and could be credited
--
-- KEYS[1] is {dep:CHAIN}:tx:HASH:POS.
local call = redis.call
local prefix = string.match(KEYS[1], '^{[^}]*}:')

local function index(id, from, account, status, why, seen)
	if account and account ~= '' then
		call('ZADD', prefix .. 'by:' .. account, 'NX', seen, id)
	end
	call('ZADD', prefix .. 'from:' .. from, 'NX', seen, id)
	call(status == 'pending' and 'SADD' or 'SREM', prefix .. 'pending', id)
	call(status == 'unclaimed' and why == '' and 'SADD' or 'SREM', prefix .. 'unclaimed', id)
end
