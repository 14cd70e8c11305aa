-- key_add - a new key of an account.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 KID   2 most keys of the account, deleted ones not counted; 0: any number
--       3 ... field, value, ... (without the "KID." before each field; an empty value is none)
-- Reply 'OK'; 'NONE': no such account; 'TAKEN': there is such a key; 'MANY': there are so many
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'NONE'
end
if redis.call('HEXISTS', KEYS[1], ARGV[1] .. '.status') == 1 then
  return 'TAKEN'
end
local most = tonumber(ARGV[2])
if most > 0 then
  local all, n = redis.call('HGETALL', KEYS[1]), 0
  for i = 1, #all, 2 do
    if all[i + 1] ~= 'deleted' and string.match(all[i], '^%w+%.status$') then
      n = n + 1
    end
  end
  if n >= most then
    return 'MANY'
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
