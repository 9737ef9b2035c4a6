-- Take one record by its id, whatever its time, unless somebody has it in hand.
--
-- KEYS  1 the record   2 due
-- ARGV  1 alert id   2 token   3 lease, ms
-- Answers {missing}, {busy}, or {taken, now, record, when received}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'record', 'received', 'token')
if not found[1] then
  return {'missing'}
end
-- The answer to this very call was lost on its way and it is asked again: it recognises its own.
if found[3] and found[3] ~= '' and found[3] ~= ARGV[2] then
  return {'busy'}
end
redis.call('HSET', KEYS[1], 'token', ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
return {'taken', now, found[1], tonumber(found[2])}
