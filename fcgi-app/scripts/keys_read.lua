#!lua flags=no-writes
-- keys_read - the keys of an account as their owner may see them: one, or all that are not deleted,
-- the newest first, page by page.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 rpm, 2 concurrency of a key that names none   3 clock offset, ms
--       4 KID, or '': all   5 most keys   6 created, 7 KID of the last key of the page before; 6 '': none
-- Gives a list, for each key what key_state.lua lists
--@include common
--@include window
--@include key_state
local now, rpm, conc = clock(ARGV[3]), whole(ARGV[1]), whole(ARGV[2])
local found, created = {}, {}

if ARGV[4] ~= '' then
	local status = call('HGET', KEYS[1], ARGV[4] .. '.status')
	if status and status ~= 'deleted' then
		found[1] = ARGV[4]
	end
else
	local all = call('HGETALL', KEYS[1])
	for i = 1, #all, 2 do
		local kid, what = string.match(all[i], '^(%w+)%.(%w+)$')
		if what == 'created' then
			created[kid] = tonumber(all[i + 1])
		elseif what == 'status' and all[i + 1] ~= 'deleted' then
			found[#found + 1] = kid
		end
	end
end

-- Of two made in the same second the id decides, so that pages have one order.
local function comes_before(a, at, b, bt)
	return at > bt or (at == bt and a < b)
end
table.sort(found, function(a, b)
	return comes_before(a, created[a] or 0, b, created[b] or 0)
end)
local states, most, after = {}, tonumber(ARGV[5]), tonumber(ARGV[6])
for i = 1, #found do
	if #states < most and (not after or comes_before(ARGV[7], after, found[i], created[found[i]] or 0)) then
		states[#states + 1] = key_state(found[i], now, rpm, conc)
	end
end
return states
