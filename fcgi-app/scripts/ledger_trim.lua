-- ledger_trim - take the oldest rows, which stand in an exported file, out of a ledger; their sums
-- go into the opening in the same step.
--
-- KEYS  1 {a:ACCT}:ledger   2 {a:ACCT}:opening   3 {a:ACCT}:account
-- ARGV  1 the opening's `until` as it was read ('' none)   2 first id that stays
--       3 number of fields of the new opening, then field, value, ...
--       then KID, WINDOW, amount, ... of windows long over: what the trimmed rows added to them
--       is taken off, so that fields of old windows do not pile up in the account
-- Reply the number of rows taken out; -1: somebody else has trimmed meanwhile
--
-- A window's field goes where nothing is left of it. Rows that stay may still name the window
-- (a late settlement, say): then their sum stays.
local before = redis.call('HGET', KEYS[2], 'until') or ''
if before ~= ARGV[1] then
  return -1
end
local old, spent, held = 4 + 2 * ARGV[3], {}, {}
for i = old, #ARGV, 3 do
  local f = redis.call('HMGET', KEYS[3], ARGV[i] .. '.spent:' .. ARGV[i + 1], ARGV[i] .. '.held:' .. ARGV[i + 1])
  spent[i], held[i] = tonumber(f[1] or 0) - tonumber(ARGV[i + 2]), f[2]
end
for i = 4, old - 1, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
for i = old, #ARGV, 3 do
  local kid, window = ARGV[i], ARGV[i + 1]
  redis.call('HDEL', KEYS[2], 'spent:' .. kid .. ':' .. window)
  if spent[i] ~= 0 then
    redis.call('HSET', KEYS[3], kid .. '.spent:' .. window, string.format('%.0f', spent[i]))
  else
    redis.call('HDEL', KEYS[3], kid .. '.spent:' .. window)
  end
  if held[i] == '0' then
    redis.call('HDEL', KEYS[3], kid .. '.held:' .. window)
  end
end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[2])
