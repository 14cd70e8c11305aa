-- key_add - a new key of an account.
--
-- Deleted keys stay as tombstones, and whoever makes and deletes keys all day would make every
-- reading of the account slow, for all. So once there are MOST_DEAD of them for each key that there may be,
-- those that never cost anything go for good; what has been spent stays, for the books.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 KID   2 most keys of the account, deleted ones not counted; 0: any number
--       3 ... field, value, ... (without the "KID." before each field; an empty value is none)
-- Reply 'OK'; 'NONE': no such account; 'TAKEN': there is such a key; 'MANY': there are so many;
-- 'SPENT': so many have been deleted after they were used
local MOST_DEAD = 20
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'NONE'
end
if redis.call('HEXISTS', KEYS[1], ARGV[1] .. '.status') == 1 then
  return 'TAKEN'
end

-- Take dead keys without spending away; gives how many are left.
local function bury(all, dead)
  local costly, fields, left = {}, {}, 0
  for i = 1, #all, 2 do
    local kid, what = string.match(all[i], '^(%w+)%.(%w+)')
    if kid and dead[kid] and (what == 'spent' or what == 'held') and all[i + 1] ~= '0' then
      costly[kid] = true
    end
  end
  for i = 1, #all, 2 do
    local kid = string.match(all[i], '^(%w+)%.')
    if kid and dead[kid] and not costly[kid] then
      fields[#fields + 1] = all[i]
    end
  end
  for i = 1, #fields, 1000 do
    redis.call('HDEL', KEYS[1], unpack(fields, i, math.min(i + 999, #fields)))
  end
  for _ in pairs(costly) do
    left = left + 1
  end
  return left
end

local most = tonumber(ARGV[2])
if most > 0 then
  local all, alive, dead, n_dead = redis.call('HGETALL', KEYS[1]), 0, {}, 0
  for i = 1, #all, 2 do
    local kid = string.match(all[i], '^(%w+)%.status$')
    if kid and all[i + 1] ~= 'deleted' then
      alive = alive + 1
    elseif kid then
      dead[kid], n_dead = true, n_dead + 1
    end
  end
  if alive >= most then
    return 'MANY'
  end
  if n_dead >= MOST_DEAD * most and bury(all, dead) >= MOST_DEAD * most then
    return 'SPENT'
  end
end
local t = redis.call('TIME')
local fields = { ARGV[1] .. '.created', string.format('%.0f', t[1] * 1000) }
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] ~= '' then
    fields[#fields + 1] = ARGV[1] .. '.' .. ARGV[i]
    fields[#fields + 1] = ARGV[i + 1]
  end
end
redis.call('HSET', KEYS[1], unpack(fields))
return 'OK'
