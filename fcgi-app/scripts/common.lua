-- common - the names, the clock and the numbers of the scripts that work on one account.
--
-- Amounts are whole nano-USD in doubles: exact below 2^53, and only string.format('%.0f')
-- writes one as text. A stored number that is none stops the script before it has written.
local call = redis.call
local MOST = 9007199254740991

local function text(n)
	if n == 0 then
		return '0' -- never "-0", which HINCRBY refuses
	end
	return string.format('%.0f', n)
end

local function whole(stored, otherwise)
	if not stored then
		return otherwise
	end
	local n = tonumber(stored)
	if not n or n % 1 ~= 0 or n > MOST or n < -MOST then
		error('not a whole number below 2^53 in ' .. KEYS[1])
	end
	return n
end

-- Redis' clock in ms, moved by the tests' offset.
local function clock(offset)
	local t = call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000) + offset
end
