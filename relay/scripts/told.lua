-- What came of a turn to tell: kept on, handed over, or nobody took it.
--
-- KEYS  1 the turn   2 what the trader is to be told
-- ARGV  1 token   2 keep | handed | failed   3 lease, ms   4 ms of pause after a message
--       5 ms of the first rest after a failure   6 of the longest   7 how many of the dropped were told
--       8 … what was handed over
-- Answers the ms for which everybody rests, or 0 to keep where the turn is another's by now.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'holder', 'failures')
local mine = found[1] == ARGV[1]
if ARGV[2] == 'keep' then
  if mine then
    redis.call('HSET', KEYS[1], 'held_until', now + ARGV[3])
  end
  return mine and 1 or 0
end
local wait = tonumber(ARGV[4])
if ARGV[2] == 'handed' then
  -- It was told, whoever's turn it is by now.
  for at = 8, #ARGV do
    local counter = string.match(ARGV[at], '"counter":"([^"]+)"')
    if redis.call('ZREM', KEYS[2], ARGV[at]) == 1 and counter then
      redis.call('DEL', counter)
    end
  end
  if tonumber(ARGV[7]) > 0 and redis.call('DECRBY', KEYS[2] .. ':dropped', ARGV[7]) <= 0 then
    redis.call('DEL', KEYS[2] .. ':dropped')
  end
end
if mine then
  local failures = 0
  if ARGV[2] == 'failed' then
    failures = tonumber(found[2] or 0)
    wait = math.min(ARGV[5] * 2 ^ failures, tonumber(ARGV[6]))
    failures = failures + 1
  end
  redis.call('HSET', KEYS[1], 'holder', '', 'rest_until', now + wait, 'failures', failures)
end
return wait
