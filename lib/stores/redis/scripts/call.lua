-- What every call begins with: the limits it speaks of, and the time.
--   ARGV[1]  distinct limits, packed: algorithm:1 isShadow:1 and ten integers of 7 bytes
--   ARGV[3]  for tests: the time in microseconds instead of Redis's own

local function readLimits (packed)
  local limits, position = {}, 1
  while position <= #packed do
    local quota = {}
    quota.algorithm, quota.isShadow, quota.max, quota.windowUs, quota.capacity, quota.intervalUs, quota.intervalNum, quota.intervalDen,
      quota.capacityUs, quota.capacityNum, quota.ceilingUs, quota.mergeUs, position = unpack('>I1I1I7I7I7I7I7I7I7I7I7I7', packed, position)
    limits[#limits + 1] = quota
  end
  return limits
end

local function redisTimeUs ()
  -- Redis 6 replicates the script's text unless told to replicate its effects; TIME would be refused before a write.
  if redis.replicate_commands then redis.replicate_commands() end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local nowUs = ARGV[3] and tonumber(ARGV[3]) or redisTimeUs()
local limits = readLimits(ARGV[1])
-- With a time of its own, a test outlives the real one.
local marginMs = ARGV[3] and 3600000 or 1
