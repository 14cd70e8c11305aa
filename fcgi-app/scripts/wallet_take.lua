-- wallet_take - the account whose wallet this is; one that has none becomes this account's. Set once:
-- only the operator takes a wallet away.
--
-- KEYS  1 wallet:{ADDRESS}
-- ARGV  1 account
-- Gives the account
local owner = redis.call('GET', KEYS[1])
if not owner then
	redis.call('SET', KEYS[1], ARGV[1])
	return ARGV[1]
end
return owner
