#!lua flags=no-writes
-- deposit_list - an account's deposits on one chain, the newest first: its own, and those that its
-- wallets sent and that are nobody's.
--
-- KEYS  1 {dep:CHAIN}:health   2 {dep:CHAIN}:by:ACCT   3... {dep:CHAIN}:from:WALLET, for each wallet
-- ARGV  1 account   2 most rows   3 only those first seen before this (ms; '+inf': all), or at it
--       with an id below   4 CHAIN:HASH:POS   5 "CHAIN:"
-- Gives { head, { id, first seen, { field, value ... } } ... }
--
-- The rows of the deposits are named here: they share the hash tag.
local call = redis.call
local prefix = string.match(KEYS[1], '^{[^}]*}:')
local found, known = {}, {}

for k = 2, #KEYS do
	local offset, taken = 0, 0
	repeat
		local page = call('ZREVRANGEBYSCORE', KEYS[k], ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', offset, '100')
		for i = 1, #page, 2 do
			local id, seen = page[i], page[i + 1]
			if not known[id] and (seen ~= ARGV[3] or ARGV[5] .. id < ARGV[4]) then
				local row = call('HGETALL', prefix .. 'tx:' .. id)
				local account = ''
				for f = 1, #row, 2 do
					if row[f] == 'account' then
						account = row[f + 1]
					end
				end
				if account == ARGV[1] or account == '' then
					known[id] = true
					found[#found + 1] = { id, seen, row }
					taken = taken + 1
				end
			end
		end
		offset = offset + 100
	until #page < 200 or taken >= tonumber(ARGV[2])
end
table.sort(found, function(a, b)
	local x, y = tonumber(a[2]), tonumber(b[2])
	return x > y or (x == y and a[1] > b[1])
end)
local reply = { call('HGET', KEYS[1], 'head') or '-1' }
for i = 1, math.min(#found, tonumber(ARGV[2])) do
	reply[#reply + 1] = found[i]
end
return reply
