-- Count a wrong credential from an address in the minute that began with its first.
--
-- KEYS  1 the address's count
-- ARGV  1 ms
local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return count
