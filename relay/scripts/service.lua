-- How a service that brings messages did last, and since when it has failed.
--
-- KEYS  1 the service
-- ARGV  1 took | failed | read   2 what it said   3 ms for which that is remembered
-- Answers {now, when it last took one, since when it fails, how often it has, what it said}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if ARGV[1] == 'took' then
  redis.call('HSET', KEYS[1], 'took', now)
  redis.call('HDEL', KEYS[1], 'since', 'times', 'words')
elseif ARGV[1] == 'failed' then
  redis.call('HSETNX', KEYS[1], 'since', now)
  redis.call('HINCRBY', KEYS[1], 'times', 1)
  redis.call('HSET', KEYS[1], 'words', ARGV[2])
end
if ARGV[1] ~= 'read' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local found = redis.call('HMGET', KEYS[1], 'took', 'since', 'times', 'words')
return {now, tonumber(found[1] or 0), tonumber(found[2] or 0), tonumber(found[3] or 0), found[4] or ''}
