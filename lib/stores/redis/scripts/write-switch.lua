-- Set the switch that all instances follow. A script of its own, without shared files.
--   KEYS[1]  the switch: `timeUs enabled`
--   ARGV[1]  1: limits are on, 0: off
--   ARGV[2]  how long it is kept, milliseconds
-- Returns the switch. Each one is later than the one before, also if the clock of Redis was set back.

if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local previous = redis.pcall('GET', KEYS[1])
local previousUs = type(previous) == 'string' and tonumber(string.match(previous, '^(%d+) [01]$')) or 0
local text = string.format('%.0f %s', math.max(time[1] * 1000000 + time[2], previousUs + 1), ARGV[1])
redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
return text
