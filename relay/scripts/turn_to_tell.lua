-- Whose turn it is to hand over what the trader is to be told: one process at a time, and nobody while it rests.
--
-- KEYS  1 the turn   2 what the trader is to be told
-- ARGV  1 token   2 lease, ms   3 how many at most
-- Answers {} where there is nothing to do, else {now, {{notice, when, how many it stands for} ...}, how many were
-- dropped}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'holder', 'held_until', 'rest_until')
local holder = found[1] or ''
if (holder ~= '' and holder ~= ARGV[1] and tonumber(found[2]) > now) or tonumber(found[3] or 0) > now then
  return {}
end
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
if #due == 0 then
  return {}
end
local waiting = {}
for at = 1, #due, 2 do
  local counter = string.match(due[at], '"counter":"([^"]+)"')
  local count = counter and redis.call('GET', counter) or 1
  waiting[#waiting + 1] = {due[at], tonumber(due[at + 1]), tonumber(count)}
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'held_until', now + ARGV[2])
return {now, waiting, tonumber(redis.call('GET', KEYS[2] .. ':dropped') or 0)}
