-- Whether a vendor's silence, or its end, is news: each process has a breaker of its own, and the trader is told once.
--
-- KEYS  1 the outage   2 what the trader is to be told   3 a gate
-- ARGV  1 open | still | closed   2 the notice   3 ms after which an outage that nobody sees any more is over
--       4 ms in which a vendor that comes and goes is told of once   5 ms since it answered (closed)
-- Answers 1 where it is told.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- Whether it was told, and since when it lasts.
local told, began = string.match(redis.call('GET', KEYS[1]) or '', '^(%d) ?(%d*)$')
local tell = false
if ARGV[1] == 'closed' then
  -- Whoever was answered need not have seen the outage; an answer from before it ends nothing.
  if told and now - ARGV[5] >= (tonumber(began) or 0) then
    tell = told == '1'
    redis.call('DEL', KEYS[1])
  end
elseif told or ARGV[1] == 'open' then
  if told ~= '1' then
    tell = redis.call('SET', KEYS[3], 1, 'NX', 'PX', ARGV[4]) and true or false
    redis.call('SET', KEYS[1], (tell and '1 ' or '0 ') .. (began or string.format('%.0f', now)))
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
if tell then
  redis.call('ZADD', KEYS[2], now, ARGV[2])
end
return tell and 1 or 0
