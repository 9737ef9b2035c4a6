-- Write how far a record is, only for the one who holds it: a process that was paused past its lease
-- cannot overwrite what its successor found out.
--
-- KEYS  1 the record   2 due   3 what the trader is to be told
-- ARGV  1 alert id   2 token   3 the record   4 record's life, ms
--       5 hold | later | end   6 ms from now: the lease (hold) or the next look (later)
--       7 how many are kept of what is to be told   8 … what is to be told now
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'token', 'settled_by')
if found[1] ~= ARGV[2] then
  -- The answer to this very settle was lost on its way and it is asked again: it recognises its own.
  if ARGV[5] ~= 'hold' and found[2] == ARGV[2] then
    return now
  end
  return 0
end
redis.call('HSET', KEYS[1], 'record', ARGV[3])
-- In the same step: no alert ends without its notice, and one that is written twice is the same member.
for at = 8, #ARGV do
  redis.call('ZADD', KEYS[3], now, ARGV[at])
end
if #ARGV >= 8 then
  local dropped = redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[7])
  if dropped > 0 then
    redis.call('INCRBY', KEYS[3] .. ':dropped', dropped) -- that some were dropped is told, too
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[5] ~= 'hold' then
  redis.call('HSET', KEYS[1], 'token', '', 'settled_by', ARGV[2])
end
if ARGV[5] == 'end' then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], now + ARGV[6], ARGV[1])
end
return now
