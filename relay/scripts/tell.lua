-- Queue something that the trader is to be told which no settle writes; for a refused alert its record, too, in
-- the same step. Behind a gate only the first is queued: the others are counted, and their number is told when
-- the gate opens again.
--
-- KEYS  1 what the trader is to be told   2 the gate ('' where there is none)
--       3 the record ('' where there is none)   4 index   5 the sender's index   6 the sender's refused ones
-- ARGV  1 the notice   2 a token of this call   3 ms that the gate stays shut   4 how many notices are kept
--       5 the notice that tells the number: @counter@ stands for where it is counted   6 ms a counter lives
--       7 alert id   8 the record   9 record's life, ms   10 how many refused ones are kept   11 the prefix of records
-- Answers {now, 1 where the notice itself was queued}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local at, notice, told = now, ARGV[1], 1

if KEYS[2] ~= '' then
  local found = redis.call('HMGET', KEYS[2], 'began', 'by')
  if found[2] == ARGV[2] then
    return {now, 0} -- the answer to this very call was lost on its way and it is asked again
  end
  if found[1] then
    local counter = KEYS[2] .. ':' .. found[1]
    redis.call('INCR', counter)
    redis.call('PEXPIRE', counter, ARGV[6])
    at, told = found[1] + ARGV[3], 0
    notice = string.gsub(ARGV[5], '@counter@', counter)
  else
    redis.call('HSET', KEYS[2], 'began', string.format('%.0f', now))
    redis.call('PEXPIRE', KEYS[2], ARGV[3])
  end
  redis.call('HSET', KEYS[2], 'by', ARGV[2])
end
redis.call('ZADD', KEYS[1], at, notice)
local dropped = redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
if dropped > 0 then
  redis.call('INCRBY', KEYS[1] .. ':dropped', dropped)
end

if KEYS[3] ~= '' then
  redis.call('HSET', KEYS[3], 'record', ARGV[8], 'received', now, 'token', '')
  redis.call('PEXPIRE', KEYS[3], ARGV[9])
  for key = 4, 6 do
    redis.call('ZADD', KEYS[key], now, ARGV[7])
  end
  -- A sender who is refused again and again fills nothing: the oldest of his refused ones give way.
  for _, oldest in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1 - ARGV[10])) do
    redis.call('DEL', ARGV[11] .. oldest)
    for key = 4, 6 do
      redis.call('ZREM', KEYS[key], oldest)
    end
  end
  redis.call('PEXPIRE', KEYS[6], ARGV[9])
end
return {now, told}
