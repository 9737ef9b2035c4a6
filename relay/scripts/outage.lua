-- Whether a vendor's silence, or its end, is news: each process has a breaker of its own, and the trader is told once.
--
-- KEYS  1 the outage   2 what the trader is to be told   3 a gate
-- ARGV  1 open | still | closed   2 the notice   3 ms after which an outage that nobody sees any more is over
--       4 ms in which a vendor that comes and goes is told of once
-- Answers 1 where it is told.
if ARGV[1] == 'still' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 0
end
local told = redis.call('GET', KEYS[1])
local tell = false
if ARGV[1] == 'open' then
  if not told then
    tell = redis.call('SET', KEYS[3], 1, 'NX', 'PX', ARGV[4]) and true or false
    redis.call('SET', KEYS[1], tell and 1 or 0)
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif told then
  tell = told == '1'
  redis.call('DEL', KEYS[1])
end
if tell then
  local clock = redis.call('TIME')
  redis.call('ZADD', KEYS[2], clock[1] * 1000 + math.floor(clock[2] / 1000), ARGV[2])
end
return tell and 1 or 0
