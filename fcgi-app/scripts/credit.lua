-- credit - add to (or take from) an account's balance, with a ledger row.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:ledger
-- ARGV  1 amount (nano-USD, may be negative)   2 type: credit or adjustment   3 reason
-- Reply balance after; 'NONE': no such account; 'RANGE': above 2^53, nothing was changed
local balance = redis.call('HGET', KEYS[1], 'balance')
if not balance then
  return 'NONE'
end
if math.abs(tonumber(balance) + tonumber(ARGV[1])) >= 9007199254740992 then
  return 'RANGE'
end
local after = redis.call('HINCRBY', KEYS[1], 'balance', ARGV[1])
local text = string.format('%.0f', after)
redis.call('XADD', KEYS[2], '*', 'type', ARGV[2], 'nano', ARGV[1], 'balance', text, 'reason', ARGV[3])
return text
