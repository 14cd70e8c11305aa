-- wallet_take - the account whose wallet this is; one that has none becomes this account's. Set once:
-- only the operator takes a wallet away.
--
-- A wallet that is a contract is one chain's: on another chain somebody else may have put a contract of
-- their own at the same address. The first chain that has vouched for it stays the only one.
--
-- KEYS  1 wallet:{ADDRESS}; wallet:{ADDRESS}:chain is named here, it has the same hash tag
-- ARGV  1 account   2 the chain whose contract vouches for it; '0': its own key has signed
-- Gives { account, 0 }; { '', chain } where another chain has vouched for it before: nothing was changed
local call = redis.call
local owner, chain = call('GET', KEYS[1]), KEYS[1] .. ':chain'
if ARGV[2] ~= '0' then
	local first = call('GET', chain)
	if first and first ~= ARGV[2] then
		return { '', tonumber(first) }
	end
	call('SET', chain, ARGV[2])
end
if not owner then
	call('SET', KEYS[1], ARGV[1])
	owner = ARGV[1]
end
return { owner, 0 }
