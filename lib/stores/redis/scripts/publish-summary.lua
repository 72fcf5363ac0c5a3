-- Publish the summary of an instance, and read the switch that all instances follow. A script of its own, without shared files.
--   KEYS[1]  the index of instances: lines of `seenMs id`, the latest last
--   KEYS[2]  the summary of the instance
--   KEYS[3]  the switch, see write-switch.lua
--   ARGV[1]  the id of the instance
--   ARGV[2]  the summary; '' deletes it, as the instance ends
--   ARGV[3]  how long a summary is kept, milliseconds
--   ARGV[4]  the maximum number of instances in the index
-- Returns the switch, or ''.

if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local id, summary, ttlMs, maxInstances = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

-- A key of another type counts as absent.
local function read (key)
  local value = redis.pcall('GET', key)
  return type(value) == 'string' and value or ''
end

local lines = {}
for seenMs, otherId in string.gmatch(read(KEYS[1]), '(%d+) ([^\n]+)\n') do
  if otherId ~= id and math.abs(nowMs - seenMs) < ttlMs then lines[#lines + 1] = seenMs .. ' ' .. otherId .. '\n' end
end

if summary == '' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], summary, 'PX', ttlMs)
  lines[#lines + 1] = string.format('%.0f', nowMs) .. ' ' .. id .. '\n'
end
if #lines == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], table.concat(lines, '', math.max(1, #lines - maxInstances + 1)), 'PX', ttlMs)
end
return read(KEYS[3])
