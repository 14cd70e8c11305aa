-- window - which budget window a time falls into: 'total', '2026-11' or '2026-11-22', in UTC or
-- in the account's zone. `offsets` (the account's tz_offsets, or false): pairs of the time from
-- which on and the minutes east of UTC, oldest first; operator/ctl_zone.c writes them.
-- The date comes from the days since 1970 by counting years that begin in March.
local function window_of(period, now, offsets)
	if period ~= 'day' and period ~= 'month' then
		return 'total'
	end
	local floor, east = math.floor, 0
	for from, minutes in string.gmatch(offsets or '', '(%d+) (-?%d+)') do
		if now < tonumber(from) then
			break
		end
		east = tonumber(minutes)
	end
	now = now + east * 60000
	local z = floor(now / 86400000) + 719468
	local era = floor(z / 146097)
	local doe = z - era * 146097
	local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
	local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
	local mp = floor((5 * doy + 2) / 153)
	local month = mp < 10 and mp + 3 or mp - 9
	local year = yoe + era * 400 + (month <= 2 and 1 or 0)
	if period == 'month' then
		return string.format('%04d-%02d', year, month)
	end
	return string.format('%04d-%02d-%02d', year, month, doy - floor((153 * mp + 2) / 5) + 1)
end
