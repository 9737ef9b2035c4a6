-- Forget the oldest alerts that have ended: history gives way before a claim does.
--
-- KEYS  1 index   2 due
-- ARGV  1 the prefix of records   2 how many to forget   3 how many to look at   4 the prefix of refused ones
-- Answers how many were forgotten.
local gone = 0
for _, alert_id in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1)) do
  if gone >= tonumber(ARGV[2]) then
    break
  end
  if not redis.call('ZSCORE', KEYS[2], alert_id) then
    -- From its sender's lists, too: ids alone would fill a small Redis within days, and nothing could give way.
    local found = redis.call('HGET', ARGV[1] .. alert_id, 'record')
    local read, record = pcall(cjson.decode, found or '')
    if read and type(record) == 'table' and type(record.sender) == 'string' then
      redis.call('ZREM', KEYS[1] .. ':' .. record.sender, alert_id)
      redis.call('ZREM', ARGV[4] .. record.sender, alert_id)
    end
    redis.call('DEL', ARGV[1] .. alert_id)
    redis.call('ZREM', KEYS[1], alert_id)
    gone = gone + 1
  end
end
return gone
