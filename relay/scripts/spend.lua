-- Take from a credential's rate budget, a bucket that all processes share. Answers 0 when granted,
-- else the ms after which to ask again.
--
-- KEYS  1 the bucket
-- ARGV  1 capacity   2 refill per second   3 what must be left over for cancels
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'held_until')
local capacity, refill = tonumber(ARGV[1]), tonumber(ARGV[2])
local held_until = tonumber(bucket[3] or 0)
if held_until > now then
  return held_until - now
end
local tokens = math.min(capacity, tonumber(bucket[1] or capacity) + (now - tonumber(bucket[2] or now)) * refill / 1000)
local wanted = 1 + math.min(tonumber(ARGV[3]), capacity - 1)
if tokens < wanted then
  return math.max(1, math.ceil((wanted - tokens) * 1000 / refill))
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - 1), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity * 1000 / refill) + 60000)
return 0
