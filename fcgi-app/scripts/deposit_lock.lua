#!lua flags=allow-oom
-- deposit_lock - which of several watchers follows a chain? It saves work: two at once are harmless.
--
-- KEYS  1 {dep:CHAIN}:lock   string: the watcher's name; lapses
-- ARGV  1 the caller's name   2 ms for which it holds; 0: give it back
-- Reply 0: it is the caller's (or was, given back); else ms until somebody else's lapses
local call = redis.call
local holder = call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	return math.max(1, call('PTTL', KEYS[1]))
end
if ARGV[2] == '0' then
	call('DEL', KEYS[1])
else
	call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 0
