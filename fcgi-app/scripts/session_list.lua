#!lua flags=no-writes
-- session_list - the sessions of an account that run.
--
-- KEYS  1 {a:ACCT}:sessions
-- ARGV  1 clock offset, ms
-- Gives { { id, wallet, made, ends }, ... }, the newest first
--@include common
local now, running, entries = clock(ARGV[1]), {}, call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
	local wallet, made, ends = string.match(entries[i + 1], '^%x+ (%S+) (%d+) (%d+)$')
	if ends and tonumber(ends) > now then
		running[#running + 1] = { entries[i], wallet, whole(made), whole(ends) }
	end
end
table.sort(running, function(a, b)
	return a[3] > b[3] or (a[3] == b[3] and a[1] < b[1])
end)
return running
