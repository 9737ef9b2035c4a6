-- Hold a credential's calls back, as its vendor asked for: for all processes, never shorter than before.
--
-- KEYS  1 the bucket
-- ARGV  1 ms
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local until_ms = math.max(now + ARGV[1], tonumber(redis.call('HGET', KEYS[1], 'held_until') or 0))
redis.call('HSET', KEYS[1], 'held_until', until_ms)
redis.call('PEXPIRE', KEYS[1], until_ms - now + 60000)
return until_ms
