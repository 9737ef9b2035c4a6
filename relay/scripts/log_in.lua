-- Whose turn it is to log in with a credential, and what came of it: one log-in at a time for all
-- processes, and a refused one not again for 1, 2, 4 ... 60 minutes, since vendors lock accounts.
--
-- KEYS  1 the credential's log-ins
-- ARGV  1 begin | done | unreached | failed | refused   2 who asks   3 ms that a turn lasts at most
--       4 ms of the first rest after a log-in that failed   5 of the longest
--       6 ms of the first rest after a refusal   7 of the longest
-- Answers {mine | busy | refused, ms to wait} to begin, {how often it was done, ms to wait} to the others.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = redis.call('HMGET', KEYS[1], 'holder', 'held_until', 'rest_until', 'refused_until', 'refusals', 'done', 'failures')
local holder, held_until = found[1] or '', tonumber(found[2] or 0)
local rest_until, refused_until = tonumber(found[3] or 0), tonumber(found[4] or 0)
local refusals, done, failures = tonumber(found[5] or 0), tonumber(found[6] or 0), tonumber(found[7] or 0)

-- A day: a refusal is forgotten when nobody has tried for so long.
redis.call('PEXPIRE', KEYS[1], 86400000)
if ARGV[1] == 'begin' then
  if refused_until > now then
    return {'refused', refused_until - now}
  end
  if holder ~= ARGV[2] then
    if holder ~= '' and held_until > now then
      return {'busy', held_until - now}
    end
    if rest_until > now then
      return {'busy', rest_until - now}
    end
  end
  redis.call('HSET', KEYS[1], 'holder', ARGV[2], 'held_until', now + ARGV[3])
  redis.call('PEXPIRE', KEYS[1], 86400000)
  return {'mine', 0}
end

local wait = 0
if holder == ARGV[2] then
  redis.call('HSET', KEYS[1], 'holder', '')
end
if ARGV[1] == 'done' then
  done = done + 1
  redis.call('HSET', KEYS[1], 'done', done, 'refusals', 0, 'refused_until', 0, 'failures', 0)
elseif ARGV[1] == 'refused' then
  wait = math.min(ARGV[6] * 2 ^ refusals, tonumber(ARGV[7]))
  redis.call('HSET', KEYS[1], 'refusals', refusals + 1, 'refused_until', now + wait)
elseif ARGV[1] == 'unreached' then
  wait = tonumber(ARGV[4])
  redis.call('HSET', KEYS[1], 'rest_until', now + wait)
else
  wait = math.min(ARGV[4] * 2 ^ failures, tonumber(ARGV[5]))
  redis.call('HSET', KEYS[1], 'failures', failures + 1, 'rest_until', now + wait)
end
redis.call('PEXPIRE', KEYS[1], 86400000)
return {done, wait}
