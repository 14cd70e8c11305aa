#!lua flags=no-writes
-- deposit_list - an account's deposits on one chain, the newest first: its own, and those that its
-- wallets sent and that are nobody's.
--
-- KEYS  1 {dep:CHAIN}:health   2 {dep:CHAIN}:by:ACCT   3... {dep:CHAIN}:from:WALLET, for each wallet
-- ARGV  1 account   2 most rows   3 only those first seen before this (ms; '+inf': all), or at it
--       with an id below   4 CHAIN:HASH:POS   5 "CHAIN:"
-- Gives { head, { id, first seen, { field, value ... } } ... }
--
-- The lists are merged entry by entry and only rows that are shown are read: whoever has a hundred wallets with
-- a thousand deposits each keeps Redis no longer than others.
--
-- The rows of the deposits are named here: they share the hash tag.
local PAGE = 50
local call = redis.call
local prefix = string.match(KEYS[1], '^{[^}]*}:')
local most, lists, known = tonumber(ARGV[2]), {}, {}

-- To the list's next entry that comes after the cursor; id nil: it has no more.
local function step(list)
	repeat
		list.at = list.at + 2
		if list.at > #list.page then
			list.page = call('ZREVRANGEBYSCORE', list.key, ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', list.offset, PAGE)
			list.offset, list.at = list.offset + PAGE, 1
		end
		list.id, list.seen = list.page[list.at], list.page[list.at + 1]
	until not list.id or list.seen ~= ARGV[3] or ARGV[5] .. list.id < ARGV[4]
	list.ms = tonumber(list.seen or '0')
end

for k = 2, #KEYS do
	lists[#lists + 1] = { key = KEYS[k], page = {}, at = -1, offset = 0 }
	step(lists[#lists])
end

-- The list with the newest entry; nil: all are read.
local function newest()
	local first
	for i = 1, #lists do
		local list = lists[i]
		if list.id and (not first or list.ms > first.ms or (list.ms == first.ms and list.id > first.id)) then
			first = list
		end
	end
	return first
end

local reply = { call('HGET', KEYS[1], 'head') or '-1' }
local list = newest()
while list and #reply <= most do
	local row = prefix .. 'tx:' .. list.id
	if not known[list.id] then
		local account = call('HGET', row, 'account') or ''
		known[list.id] = true
		if account == ARGV[1] or account == '' then
			reply[#reply + 1] = { list.id, list.seen, call('HGETALL', row) }
		end
	end
	step(list)
	list = newest()
end
return reply
