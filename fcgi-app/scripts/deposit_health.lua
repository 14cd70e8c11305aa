#!lua flags=no-writes
-- deposit_health - how far a chain is followed, and what waits.
--
-- KEYS  1 {dep:CHAIN}:health   2 {dep:CHAIN}:state   3 {dep:CHAIN}:pending   4 {dep:CHAIN}:unclaimed
-- Gives { ok_ms, error_ms (0: never), head, finalized, next, final_next (-1: not known), pending, unclaimed }
local call = redis.call
local health = call('HMGET', KEYS[1], 'ok_ms', 'error_ms', 'head', 'finalized')
local state = call('HMGET', KEYS[2], 'next', 'final_next')
local function number(text, otherwise)
	return tonumber(text or otherwise) or otherwise
end
return { number(health[1], 0), number(health[2], 0), number(health[3], -1), number(health[4], -1),
	number(state[1], -1), number(state[2], -1), call('SCARD', KEYS[3]), call('SCARD', KEYS[4]) }
