-- key_read - everything about a key that its owner may see (GET /v1/key).
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:recent:KID   3 {a:ACCT}:open:KID
-- ARGV  1 KID   2 default rpm   3 default concurrency   4 clock offset, ms
-- Reply {name, created, rpm, used in the last minute, concurrency, running, budget, period, spent, held,
--        balance, held of the account, models, expires}
local kid = ARGV[1]
--@include window
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[4]
local f = redis.call('HMGET', KEYS[1], kid .. '.name', kid .. '.created', kid .. '.rpm', kid .. '.conc',
  kid .. '.budget', kid .. '.period', 'balance', 'held', kid .. '.models', kid .. '.expires')
local recent, used = redis.call('LRANGE', KEYS[2], 0, -1), 0
for i = 1, #recent do
  if now - recent[i] < 60000 then
    used = used + 1
  end
end
local all, running, window = redis.call('HVALS', KEYS[3]), 0, ''
for i = 1, #all do
  if tonumber(string.match(all[i], '^%d+ (%d+)')) > now then
    running = running + 1
  end
end
local period = f[6] or 'total'
window = window_of(period, now)
local b = redis.call('HMGET', KEYS[1], kid .. '.spent:' .. window, kid .. '.held:' .. window)
return { f[1] or '', f[2] or '0', f[3] or ARGV[2], used, f[4] or ARGV[3], running, f[5] or '0', period, b[1] or '0', b[2] or '0',
  f[7] or '0', f[8] or '0', f[9] or '', f[10] or '0', window }
