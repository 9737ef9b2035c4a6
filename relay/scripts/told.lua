-- What came of a turn to tell: kept on, handed over, or nobody took it.
--
-- KEYS  1 the turn   2 what the trader is to be told
-- ARGV  1 token   2 keep | handed | failed   3 lease, ms   4 ms of pause after a message   5 of the longest
--       6 ms of the first rest after a failure   7 of the longest   8 how many of the dropped were told
--       9 … what was handed over
-- Answers the ms for which everybody rests, or 0 to keep where the turn is another's by now.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'holder', 'failures', 'rest_until', 'messages')
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
  for at = 9, #ARGV do
    local counter = string.match(ARGV[at], '"counter":"([^"]+)"')
    if redis.call('ZREM', KEYS[2], ARGV[at]) == 1 and counter then
      redis.call('DEL', counter)
    end
  end
  if tonumber(ARGV[8]) > 0 and redis.call('DECRBY', KEYS[2] .. ':dropped', ARGV[8]) <= 0 then
    redis.call('DEL', KEYS[2] .. ':dropped')
  end
end
if mine then
  local failures = 0
  local messages = tonumber(found[4] or 0)
  if ARGV[2] == 'failed' then
    failures = tonumber(found[2] or 0)
    wait = math.min(ARGV[6] * 2 ^ failures, tonumber(ARGV[7]))
    failures = failures + 1
  else
    -- While a storm lasts, each message waits longer than the one before; a calm as long as the longest ends it.
    if now - tonumber(found[3] or 0) > tonumber(ARGV[5]) then
      messages = 0
    end
    wait = math.min(wait * 2 ^ messages, tonumber(ARGV[5]))
    messages = messages + 1
  end
  redis.call('HSET', KEYS[1], 'holder', '', 'rest_until', now + wait, 'failures', failures, 'messages', messages)
end
return wait
