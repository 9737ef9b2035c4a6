-- Take from a credential's budget, which all processes share. Answers 0 when granted, else the ms after
-- which to ask again. A credential whose calls the vendor holds back grants none of any limit.
--
-- KEYS  1 the credential   2 what the limit counts
-- ARGV  1 rate | window | none   2 calls at once (rate), or in a window   3 calls a second, or the window's ms
--       4 what must be left over for cancels
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local held_until = tonumber(redis.call('HGET', KEYS[1], 'held_until') or 0)
if held_until > now then
  return held_until - now
end
if ARGV[1] == 'none' then
  return 0
end
local capacity = tonumber(ARGV[2])
local reserve = math.min(tonumber(ARGV[4]), capacity - 1)

if ARGV[1] == 'rate' then
  local bucket, refill = redis.call('HMGET', KEYS[2], 'tokens', 'at'), tonumber(ARGV[3])
  local since = now - tonumber(bucket[2] or now)
  local tokens = math.min(capacity, tonumber(bucket[1] or capacity) + since * refill / 1000)
  if tokens < 1 + reserve then
    return math.max(1, math.ceil((1 + reserve - tokens) * 1000 / refill))
  end
  redis.call('HSET', KEYS[2], 'tokens', tostring(tokens - 1), 'at', now)
  redis.call('PEXPIRE', KEYS[2], math.ceil(capacity * 1000 / refill) + 60000)
  return 0
end

-- The moments of the last calls, the oldest first: one more may go when the one that would be too many
-- before it has left the window.
local window, count = tonumber(ARGV[3]), redis.call('LLEN', KEYS[2])
local allowed = capacity - reserve
if count >= allowed then
  local oldest = tonumber(redis.call('LINDEX', KEYS[2], count - allowed))
  if oldest + window > now then
    return oldest + window - now
  end
end
redis.call('RPUSH', KEYS[2], now)
redis.call('LTRIM', KEYS[2], -capacity, -1)
redis.call('PEXPIRE', KEYS[2], window)
return 0
