#!lua
-- wallet_unlink - a wallet is an account's no more, if it was this one's.
--
-- KEYS  1 wallet:{ADDRESS}; its :chain is named here, it has the same hash tag
-- ARGV  1 account
-- Reply 1; 0 where it is nobody's or another's
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
redis.call('DEL', KEYS[1], KEYS[1] .. ':chain')
return 1
