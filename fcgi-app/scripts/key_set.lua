-- key_set - change fields of a key; an empty value takes the field away.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 KID   2 ... field, value, ... (without the "KID." before each field)
-- Reply 'OK'; 'NONE': no such key; 'DELETED': it is deleted and stays so
local status = redis.call('HGET', KEYS[1], ARGV[1] .. '.status')
if not status then
  return 'NONE'
end
if status == 'deleted' then
  return 'DELETED'
end
for i = 2, #ARGV, 2 do
  local field = ARGV[1] .. '.' .. ARGV[i]
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], field)
  else
    redis.call('HSET', KEYS[1], field, ARGV[i + 1])
  end
end
return 'OK'
