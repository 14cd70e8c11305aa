#!lua flags=allow-oom
-- sweep - book the entries of an account whose processes died, whether or not anybody still calls
-- with one of its keys.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 clock offset, ms   2 sweep after, ms   3 life of an abandoned one's receipt, ms
--       4 most entries in one call
-- Gives { taken, when the latest lease that is left ends (0: none is left) }.
--@include common
--@include abandon
local now, most = clock(ARGV[1]), tonumber(ARGV[4])
local prefix = string.sub(KEYS[1], 1, -8)
local taken, latest = 0, 0

for _, field in ipairs(call('HKEYS', KEYS[1])) do
	local kid = string.match(field, '^(%w+)%.status$')
	if kid then
		taken = taken + abandon(kid, now, tonumber(ARGV[2]), ARGV[3], most - taken)
		for _, entry in ipairs(call('HVALS', prefix .. 'open:' .. kid)) do
			latest = math.max(latest, tonumber(string.match(entry, '^%d+ (%d+)') or now))
		end
	end
end
return { taken, latest }
