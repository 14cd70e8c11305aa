#!lua flags=allow-oom
-- lease_renew - a request still runs: move its lease, note its cost so far, and raise its hold to
-- that cost plus one slice, as far as something is left.
--
-- KEYS  1 {a:ACCT}:account   2 {a:ACCT}:open:KID
-- ARGV  1 KID   2 request id   3 cost so far (nano-USD)   4 slice   5 lease, ms   6 clock offset
-- Reply 1, or 0 where the entry is gone (it was swept: the settlement still books the charge)
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[6]
local entry = redis.call('HGET', KEYS[2], ARGV[2])
if not entry then
  return 0
end
local held_text, window = string.match(entry, '^(%d+) %d+ %d+ (%S*)')
local hold = tonumber(held_text)

local function amount(n)
  return string.format('%.0f', n)
end

local cost = tonumber(ARGV[3])
local more = 0
if cost > 0 then
  more = cost + tonumber(ARGV[4]) - hold
end
if more > 0 then
  local f = redis.call('HMGET', KEYS[1], 'balance', 'held', ARGV[1] .. '.budget', ARGV[1] .. '.spent:' .. window,
    ARGV[1] .. '.held:' .. window)
  local free = tonumber(f[1] or 0) - tonumber(f[2] or 0)
  if window ~= '' then
    free = math.min(free, tonumber(f[3] or 0) - tonumber(f[4] or 0) - tonumber(f[5] or 0))
  end
  more = math.max(0, math.min(more, free))
end
redis.call('HSET', KEYS[2], ARGV[2], amount(hold + more) .. ' ' .. amount(now + ARGV[5]) .. ' ' .. amount(cost) .. ' ' .. window)
if more > 0 then
  redis.call('HINCRBY', KEYS[1], 'held', amount(more))
  if window ~= '' then
    redis.call('HINCRBY', KEYS[1], ARGV[1] .. '.held:' .. window, amount(more))
  end
end
return 1
