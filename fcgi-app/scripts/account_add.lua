-- account_add - a new account, with its first credit.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:ledger
-- ARGV  1 name   2 credit (nano-USD)
-- Reply 1, or 0 where there is such an account
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'status', 'on', 'name', ARGV[1], 'balance', ARGV[2], 'held', '0', 'running', '0',
  'created', string.format('%.0f', t[1] * 1000))
if ARGV[2] ~= '0' then
  redis.call('XADD', KEYS[2], '*', 'type', 'credit', 'nano', ARGV[2], 'balance', ARGV[2], 'reason', 'opening credit')
end
return 1
