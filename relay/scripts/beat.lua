-- Say that a process lives that takes alerts. After a gap it has to bring the notice of it: only then the beat is
-- noted, in the same step, so that no gap is passed over.
--
-- KEYS  1 the heartbeat   2 what the trader is to be told
-- ARGV  1 ms from which on a gap is one   2 the last beat before the gap ('' where none is known of)   3 the notice
-- Answers {now, 0}, or {now, the last beat} where the notice is still missing.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local last = redis.call('GET', KEYS[1])
if last and now - last > tonumber(ARGV[1]) then
  if last ~= ARGV[2] then
    return {now, tonumber(last)}
  end
  redis.call('ZADD', KEYS[2], now, ARGV[3])
end
redis.call('SET', KEYS[1], string.format('%.0f', now))
return {now, 0}
