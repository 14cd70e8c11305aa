-- ledger_trim - take the oldest rows, which stand in an exported file, out of a ledger; their sums
-- go into the opening in the same step.
--
-- KEYS  1 {a:ACCT}:ledger   2 {a:ACCT}:opening
-- ARGV  1 the opening's `until` as it was read ('' none)   2 first id that stays
--       3 ... field, value, ... of the new opening
-- Reply the number of rows taken out; -1: somebody else has trimmed meanwhile
local before = redis.call('HGET', KEYS[2], 'until') or ''
if before ~= ARGV[1] then
  return -1
end
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[2])
