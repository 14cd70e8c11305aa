#!lua flags=no-writes
-- wallet_owner - whose money is it that this wallet sends on a chain?
--
-- KEYS  1 wallet:{ADDRESS}; wallet:{ADDRESS}:chain is named here, it has the same hash tag
-- ARGV  1 chain
-- Gives the account; '' where there is none, or where the wallet is a contract that is known on other chains
-- alone (wallet_take): here it may be somebody else's
local owner, chains = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[1] .. ':chain')
if owner and (not chains or chains == '*' or string.find(' ' .. chains .. ' ', ' ' .. ARGV[1] .. ' ', 1, true)) then
	return owner
end
return ''
