-- Claim an alert, or say why not: one atomic step makes the key, the record and the promise to look
-- at it again, so that no alert is ever claimed that nobody would come back to.
--
-- KEYS  1 the key ('' where the alert has none)   2 the record   3 due   4 index   5 the sender's index
-- ARGV  1 alert id   2 token   3 content hash   4 key's life, ms   5 lease, ms   6 the record
--       7 record's life, ms   8 timestamp, ms ('' where none)   9 max_age, ms   10 most it may lie ahead, ms
--       11 the prefix of records   12 ms until the first visit: 0 where the one who claims makes it now
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- The answer to this very claim was lost on its way and it is asked again: it recognises its own by the
-- record, whether there is a key or not. Made anew it would be worked on twice.
local received = redis.call('HGET', KEYS[2], 'received')
if received then
  return {'claimed', now, tonumber(received)}
end

if KEYS[1] ~= '' then
  local held = redis.call('GET', KEYS[1])
  if held then
    local alert_id, content = string.match(held, '^([^ ]+) ([^ ]+)$')
    -- A key whose record is gone (it was deleted by hand, or evicted) still swallows: never twice.
    local first = redis.call('HMGET', ARGV[11] .. alert_id, 'record', 'received')
    if not first[1] or content ~= ARGV[3] then
      return {'reused', now}
    end
    return {'duplicate', now, tonumber(first[2]), first[1]}
  end
end

if ARGV[8] ~= '' then
  local age = now - tonumber(ARGV[8])
  if age > tonumber(ARGV[9]) or -age > tonumber(ARGV[10]) then
    return {'stale', now, age}
  end
end

if KEYS[1] ~= '' then
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[3], 'PX', ARGV[4])
end
-- One that waits for its time is in nobody's hand: whoever finds it due takes it.
local wait = tonumber(ARGV[12])
redis.call('HSET', KEYS[2], 'record', ARGV[6], 'received', now, 'token', wait == 0 and ARGV[2] or '')
redis.call('PEXPIRE', KEYS[2], ARGV[7] + wait)
redis.call('ZADD', KEYS[3], now + (wait == 0 and ARGV[5] or wait), ARGV[1])
redis.call('ZADD', KEYS[4], now, ARGV[1])
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - ARGV[7])
return {'claimed', now, now}
