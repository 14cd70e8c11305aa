-- key_add - a new key of an account.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 KID   2 ... field, value, ... (without the "KID." before each field)
-- Reply 'OK'; 'NONE': no such account; 'TAKEN': there is such a key
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'NONE'
end
if redis.call('HEXISTS', KEYS[1], ARGV[1] .. '.status') == 1 then
  return 'TAKEN'
end
local t = redis.call('TIME')
local fields = { ARGV[1] .. '.created', string.format('%.0f', t[1] * 1000) }
for i = 2, #ARGV, 2 do
  fields[#fields + 1] = ARGV[1] .. '.' .. ARGV[i]
  fields[#fields + 1] = ARGV[i + 1]
end
redis.call('HSET', KEYS[1], unpack(fields))
return 'OK'
