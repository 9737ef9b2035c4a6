-- Take what is due: every record whose time has come gets a new token and a new lease. A token that
-- is still there belongs to someone who died or was paused in mid work.
--
-- KEYS  1 due   2 the prefix of records
-- ARGV  1 token   2 lease, ms   3 how many at most
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local taken = {}
for _, alert_id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local key = KEYS[2] .. alert_id
  local found = redis.call('HMGET', key, 'record', 'received', 'token')
  if found[1] then
    redis.call('HSET', key, 'token', ARGV[1])
    redis.call('ZADD', KEYS[1], now + ARGV[2], alert_id)
    taken[#taken + 1] = {found[1], tonumber(found[2]), found[3]}
  else
    redis.call('ZREM', KEYS[1], alert_id)
  end
end
return {now, taken}
