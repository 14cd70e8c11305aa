#!lua flags=allow-oom
-- settle - book what a request cost and give back what it held. Always lands: a balance may go
-- below zero, a hold that is gone does not stop the charge. The receipt makes it idempotent.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:open:KID   3 {a:ACCT}:receipt:REQ   4 {a:ACCT}:ledger
--       5 {a:ACCT}:requests  6 {a:ACCT}:recent:KID
-- ARGV  1 KID   2 request id   3 charge (nano-USD)   4 window of admission   5 receipt (JSON)
--       6 receipt's life, ms   7 arrival time to give back, or ''   8 model   9 provider
--       10 price date   11 input  12 cache write 5m  13 cache write 1h  14 cache read  15 output
--       16 flags ('estimated' or '')   17 status   18 error
-- Reply {booked (1, or 0 where it was before), balance after}
local kid, req = ARGV[1], ARGV[2]
local charge = tonumber(ARGV[3])

local function amount(n)
  return string.format('%.0f', n)
end

-- A receipt means: booked before. One that a sweep left names what it charged: the rest is booked now.
local flags, receipt = ARGV[16], redis.call('GET', KEYS[3])
if receipt then
  local swept = string.match(receipt, '^{"abandoned":(%d+),')
  if not swept then
    return { 0, redis.call('HGET', KEYS[1], 'balance') or '0' }
  end
  charge = charge - tonumber(swept)
  flags = flags == '' and 'late' or 'late ' .. flags
end
local entry = redis.call('HGET', KEYS[2], req)
local hold, window = 0, ARGV[4]
if entry then
  local held_text, held_window = string.match(entry, '^(%d+) %d+ %d+ (%S*)')
  hold, window = tonumber(held_text), held_window
end

if entry then
  redis.call('HDEL', KEYS[2], req)
  redis.call('HINCRBY', KEYS[1], 'running', -1)
  if hold > 0 then
    redis.call('HINCRBY', KEYS[1], 'held', amount(-hold))
    if window ~= '' then
      redis.call('HINCRBY', KEYS[1], kid .. '.held:' .. window, amount(-hold))
    end
  end
end
local balance
if charge ~= 0 then
  balance = redis.call('HINCRBY', KEYS[1], 'balance', amount(-charge))
  if window ~= '' then
    redis.call('HINCRBY', KEYS[1], kid .. '.spent:' .. window, amount(charge))
  end
else
  balance = tonumber(redis.call('HGET', KEYS[1], 'balance') or 0)
end
if ARGV[7] ~= '' then
  redis.call('LREM', KEYS[6], 1, ARGV[7])
end
if charge ~= 0 or ARGV[11] ~= '0' or ARGV[15] ~= '0' or ARGV[14] ~= '0' then
  redis.call('XADD', KEYS[4], '*', 'type', 'charge', 'req', req, 'key', kid, 'nano', amount(-charge),
    'balance', amount(balance), 'model', ARGV[8], 'provider', ARGV[9], 'price', ARGV[10], 'in', ARGV[11], 'cw5', ARGV[12],
    'cw1', ARGV[13], 'cr', ARGV[14], 'out', ARGV[15], 'flags', flags, 'window', window)
end
redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6])
redis.call('XADD', KEYS[5], 'MAXLEN', '~', '10000', '*', 'req', req, 'key', kid, 'model', ARGV[8], 'status', ARGV[17], 'error', ARGV[18])
return { 1, amount(balance) }
