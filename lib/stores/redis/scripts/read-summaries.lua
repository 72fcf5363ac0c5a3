-- Read the index of instances, or summaries. A script of its own, without shared files.
--   KEYS     what is read
--   ARGV[1]  the maximum length of a value
-- Returns the time in milliseconds, then for each key its value, '' if it is absent, or '?' if it is too long or of another type.

local time = redis.call('TIME')
local values = { string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)) }
for i = 1, #KEYS do
  local value = redis.pcall('GET', KEYS[i])
  if value == false then value = '' end
  values[i + 1] = type(value) == 'string' and #value <= tonumber(ARGV[1]) and value or '?'
end
return values
