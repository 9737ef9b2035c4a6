-- Forget the oldest alerts that have ended: history gives way before a claim does.
--
-- KEYS  1 index   2 due
-- ARGV  1 the prefix of records   2 how many to forget   3 how many to look at
-- Answers how many were forgotten.
local gone = 0
for _, alert_id in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1)) do
  if gone >= tonumber(ARGV[2]) then
    break
  end
  if not redis.call('ZSCORE', KEYS[2], alert_id) then
    redis.call('DEL', ARGV[1] .. alert_id)
    redis.call('ZREM', KEYS[1], alert_id)
    gone = gone + 1
  end
end
return gone
