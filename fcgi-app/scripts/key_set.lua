-- key_set - change fields of a key; an empty value takes the field away.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 KID   2 ... field, value, ... (without the "KID." before each field)
-- Reply 'OK'; 'NONE': no such key; 'DELETED': it is deleted and stays so; 'NO_BUDGET': a period for
-- a key that has no budget and gets none
local status = redis.call('HGET', KEYS[1], ARGV[1] .. '.status')
if not status then
  return 'NONE'
end
if status == 'deleted' then
  return 'DELETED'
end
local new = {}
for i = 2, #ARGV, 2 do
  new[ARGV[i]] = ARGV[i + 1]
end
local budget = new.budget or redis.call('HGET', KEYS[1], ARGV[1] .. '.budget') or ''
if new.period and new.period ~= '' and budget == '' then
  return 'NO_BUDGET'
end
for name, value in pairs(new) do
  local field = ARGV[1] .. '.' .. name
  if value == '' then
    redis.call('HDEL', KEYS[1], field)
  else
    redis.call('HSET', KEYS[1], field, value)
  end
end
return 'OK'
