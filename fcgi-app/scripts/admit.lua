-- admit - may this key make this request now? One atomic step (architecture.md, section 4).
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:recent:KID   3 {a:ACCT}:open:KID   4 {a:ACCT}:requests
-- ARGV  1 mode: F full, K key only, C count_tokens
--       2 KID   3 SHA-256 of the secret   4 request id   5 model
--       6 estimate (nano-USD)   7 default rpm   8 default concurrency   9 lease, ms
--       10 clock offset, ms (0 outside tests)   11 sweep after, ms   12 life of receipts, ms
-- Reply {verdict, now, hold, window, rpm, rpm_left, rpm_reset, conc, conc_left, balance_left,
--        budget_left, running, retry_after, limit, budget, models}
-- Nothing is written before everything is read and checked. Amounts are formatted by %.0f only.
local mode, kid = ARGV[1], ARGV[2]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[10]
local f = redis.call('HMGET', KEYS[1], 'balance', 'status', 'held', 'running',
  kid .. '.sha', kid .. '.status', kid .. '.rpm', kid .. '.conc', kid .. '.budget', kid .. '.period',
  kid .. '.models', kid .. '.expires')
local models = f[11] or ''

local function amount(n)
  return string.format('%.0f', n)
end

local function answer(verdict, a)
  return { verdict, amount(now), amount(a.hold or 0), a.window or '', amount(a.rpm or 0), amount(a.rpm_left or 0),
    amount(a.rpm_reset or 0), amount(a.conc or 0), amount(a.conc_left or 0), amount(a.balance_left or 0),
    amount(a.budget_left or -1), amount(a.running or 0), amount(a.retry_after or 0), amount(a.limit or 0),
    amount(a.budget or 0), models }
end

-- The id of a refused request stands among the account's last ones.
local function refuse(verdict, a)
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', '10000', '*', 'req', ARGV[4], 'key', kid, 'model', ARGV[5], 'error', verdict)
  return answer(verdict, a)
end

if f[2] ~= 'on' or not f[5] or f[5] ~= ARGV[3] then
  return answer('BAD_KEY', {})
end
local expires = tonumber(f[12] or 0) or 0
if f[6] ~= 'on' or (expires > 0 and expires <= now) then
  return refuse('BAD_KEY', {})
end
if mode == 'K' then
  return answer('OK', {})
end
if models ~= '' and not string.find(',' .. models .. ',', ',' .. ARGV[5] .. ',', 1, true) then
  return refuse('MODEL_UNAVAILABLE', {})
end

-- The last `rpm` arrivals, newest first: full when the one at its end is younger than a minute.
local function minute(key, rpm)
  local oldest = redis.call('LINDEX', key, rpm - 1)
  if oldest then
    local age = now - oldest
    if age < 0 then
      age = 0
    end
    if age < 60000 then
      return 60000 - age
    end
    redis.call('LTRIM', key, 0, rpm - 1)
  end
  return 0
end

if mode == 'C' then
  local rpm = tonumber(ARGV[7])
  local wait = minute(KEYS[2], rpm)
  if wait > 0 then
    return refuse('RPM', { retry_after = wait, limit = rpm })
  end
  redis.call('LPUSH', KEYS[2], amount(now))
  redis.call('PEXPIRE', KEYS[2], 120000)
  return answer('OK', { rpm = rpm })
end

--@include window

local balance, held, running = tonumber(f[1] or 0), tonumber(f[3] or 0), tonumber(f[4] or 0)
if balance <= 0 then
  return refuse('BALANCE', {})
end
local window, budget, budget_left, budget_free = '', tonumber(f[9] or 0) or 0, -1, nil
if budget > 0 then
  window = window_of(f[10], now)
  local b = redis.call('HMGET', KEYS[1], kid .. '.spent:' .. window, kid .. '.held:' .. window)
  budget_left = budget - tonumber(b[1] or 0)
  if budget_left <= 0 then
    return refuse('BUDGET', { budget = budget })
  end
  budget_free = budget_left - tonumber(b[2] or 0)
end

local prefix = string.sub(KEYS[1], 1, -8) -- "{a:ACCT}:"
-- Entries of processes that died: booked at their last checkpoint, once, and given back.
local function sweep()
  local all = redis.call('HGETALL', KEYS[3])
  for i = 1, #all, 2 do
    local hold, expiry, cost, win = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (%S*)')
    if tonumber(expiry) + ARGV[11] <= now then
      redis.call('HDEL', KEYS[3], all[i])
      redis.call('HINCRBY', KEYS[1], 'running', -1)
      redis.call('HINCRBY', KEYS[1], 'held', amount(-tonumber(hold)))
      local after = redis.call('HINCRBY', KEYS[1], 'balance', amount(-tonumber(cost)))
      if win ~= '' then
        redis.call('HINCRBY', KEYS[1], kid .. '.held:' .. win, amount(-tonumber(hold)))
        redis.call('HINCRBY', KEYS[1], kid .. '.spent:' .. win, amount(tonumber(cost)))
      end
      redis.call('XADD', prefix .. 'ledger', '*', 'type', 'abandoned', 'req', all[i], 'key', kid,
        'nano', amount(-tonumber(cost)), 'balance', amount(after), 'window', win)
      redis.call('SET', prefix .. 'receipt:' .. all[i], '{"abandoned":' .. cost .. ',"id":"' .. all[i] .. '"}', 'PX', ARGV[12])
    end
  end
end

local rpm, conc = tonumber(f[7] or ARGV[7]), tonumber(f[8] or ARGV[8])
local wait = minute(KEYS[2], rpm)
if wait > 0 then
  return refuse('RPM', { retry_after = wait, limit = rpm })
end

-- Leases that lapsed no longer count as running; they are looked at only when the limit seems hit.
local open = redis.call('HLEN', KEYS[3])
if open >= conc then
  sweep()
  local all = redis.call('HVALS', KEYS[3])
  open = 0
  for i = 1, #all do
    if tonumber(string.match(all[i], '^%d+ (%d+)')) > now then
      open = open + 1
    end
  end
  if open >= conc then
    return refuse('CONCURRENCY', { limit = conc, running = open })
  end
end

if balance - held <= 0 or (budget_free and budget_free <= 0) then
  sweep()
  local again = redis.call('HMGET', KEYS[1], 'balance', 'held', 'running', kid .. '.spent:' .. window, kid .. '.held:' .. window)
  balance, held, running = tonumber(again[1]), tonumber(again[2] or 0), tonumber(again[3] or 0)
  if budget_free then
    budget_free = budget - tonumber(again[4] or 0) - tonumber(again[5] or 0)
  end
end
local free = balance - held
if budget_free and budget_free < free then
  free = budget_free
end
if free <= 0 then
  local on_key = budget_free ~= nil and budget_free <= 0 -- the key's budget is held, else the balance
  return refuse('HELD', { running = on_key and open or running })
end
local hold = tonumber(ARGV[6])
if hold > free then
  hold = free
end

-- Everything is checked: book it.
local hold_text = amount(hold)
redis.call('HSET', KEYS[3], ARGV[4], hold_text .. ' ' .. amount(now + ARGV[9]) .. ' 0 ' .. window)
redis.call('HINCRBY', KEYS[1], 'held', hold_text)
redis.call('HINCRBY', KEYS[1], 'running', 1)
if window ~= '' then
  redis.call('HINCRBY', KEYS[1], kid .. '.held:' .. window, hold_text)
end
local used = redis.call('LPUSH', KEYS[2], amount(now))
for _ = 1, 2 do -- each arrival takes at most two old ones out: the list stays about as long as its minute
  local oldest = redis.call('LINDEX', KEYS[2], -1)
  if now - oldest < 60000 then
    break
  end
  redis.call('RPOP', KEYS[2])
  used = used - 1
end
redis.call('PEXPIRE', KEYS[2], 120000)
if used > rpm then
  used = rpm
end
return answer('OK', { hold = hold, window = window, rpm = rpm, rpm_left = rpm - used, rpm_reset = now + 60000,
  conc = conc, conc_left = conc - open - 1, balance_left = balance - held - hold,
  budget_left = budget_free and budget_free - hold or -1, running = running + 1 })
