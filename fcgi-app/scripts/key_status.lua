-- key_status - switch a key on or off, or delete it for good: a tombstone stays, the digests of its secrets go.
--
-- KEYS  1 {a:ACCT}:account
-- ARGV  1 KID   2 on, off or deleted
-- Reply 'OK'; 'NONE': no such key; 'DELETED': it is deleted and stays so
local status = redis.call('HGET', KEYS[1], ARGV[1] .. '.status')
if not status then
  return 'NONE'
end
if status == 'deleted' then
  return ARGV[2] == 'deleted' and 'OK' or 'DELETED'
end
redis.call('HSET', KEYS[1], ARGV[1] .. '.status', ARGV[2])
if ARGV[2] == 'deleted' then
  redis.call('HDEL', KEYS[1], ARGV[1] .. '.sha', ARGV[1] .. '.old_sha', ARGV[1] .. '.old_until')
end
return 'OK'
