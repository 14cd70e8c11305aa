-- wallet_take - the account whose wallet this is; one that has none becomes this account's. Set once:
-- only the operator takes a wallet away.
--
-- A wallet that is a contract is one chain's: on another chain somebody else may have put a contract of
-- their own at the same address. The first chain that has vouched for it stays the only one, until its
-- account itself links another. Whoever signs with the address's own key has it on all chains. A wallet that
-- the operator linked without a chain is no contract's: who made one at its address elsewhere is not its owner.
--
-- KEYS  1 wallet:{ADDRESS}; wallet:{ADDRESS}:chain is named here, it has the same hash tag
-- ARGV  1 account   2 the chain whose contract vouches for it; '0': its own key has signed
--       3 '1': a session of the account asks, or the operator
-- Gives { account, 0 }; { '', chain } where another chain has vouched for it before, { '', -1 } where it has an
-- owner and no chain: nothing was changed
local call = redis.call
local owner, key = call('GET', KEYS[1]), KEYS[1] .. ':chain'
local chains, chain = call('GET', key), ARGV[2]
if chain == '0' then
	call('SET', key, '*')
elseif not chains then
	if owner and (ARGV[3] ~= '1' or owner ~= ARGV[1]) then
		return { '', -1 }
	end
	call('SET', key, chain)
elseif chains ~= '*' and not string.find(' ' .. chains .. ' ', ' ' .. chain .. ' ', 1, true) then
	if ARGV[3] ~= '1' or owner ~= ARGV[1] then
		return { '', tonumber(string.match(chains, '^%d+')) }
	end
	call('SET', key, chains .. ' ' .. chain)
end
if not owner then
	call('SET', KEYS[1], ARGV[1])
	owner = ARGV[1]
end
return { owner, 0 }
