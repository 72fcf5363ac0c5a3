-- The start of every call: read its limits and the time.
--   ARGV[1]  the distinct limits, packed: algorithm:1 flags:1 and ten integers of 7 bytes. Then, for each flag:
--            flag 1   no further bytes: the limit is in shadow mode
--            flag 2   maxDelayUs:7
--            flag 4   the penalty: strikes:4 within:7 cooldown:7 maxCooldown:7 factor:8, a double
--            flag 8   the periods of a calendar window: the start and end of one, and the end of the next, each 7 bytes
--            flag 16  no further bytes: units in use keep the end of their period
--   ARGV[3]  for tests: the time in microseconds, instead of the clock of Redis

-- Whether the time is in no period of a limit. Nothing is then decided: the call is made again with other periods.
local isOutOfPeriods = false

local function readPeriod (quota, packed, position, nowUs)
  local startUs, endUs, nextEndUs
  startUs, endUs, nextEndUs, position = unpack('>I7I7I7', packed, position)
  if nowUs >= endUs then startUs, endUs = endUs, nextEndUs end
  if nowUs < startUs or nowUs >= endUs then isOutOfPeriods = true end
  quota.startUs, quota.endUs = startUs, endUs
  return position
end

local function readLimits (packed, nowUs)
  local limits, position = {}, 1
  while position <= #packed do
    local quota, flags = { maxDelayUs = 0 }, nil
    quota.algorithm, flags, quota.max, quota.windowUs, quota.capacity, quota.intervalUs, quota.intervalNum, quota.intervalDen,
      quota.capacityUs, quota.capacityNum, quota.ceilingUs, quota.mergeUs, position =
      unpack('>I1I1I7I7I7I7I7I7I7I7I7I7', packed, position)
    quota.isShadow = flags % 2
    if flags % 4 >= 2 then quota.maxDelayUs, position = unpack('>I7', packed, position) end
    if flags % 8 >= 4 then
      local rule = {}
      rule.strikes, rule.withinUs, rule.cooldownUs, rule.maxCooldownUs, rule.factor, position =
        unpack('>I4I7I7I7d', packed, position)
      quota.penalty = rule
    end
    if flags % 16 >= 8 then position = readPeriod(quota, packed, position, nowUs) end
    quota.keepsEnd = flags >= 16
    limits[#limits + 1] = quota
  end
  return limits
end

local function redisTimeUs ()
  -- Redis 6 replicates the script text by default and then refuses a write after TIME. This call replicates its effects.
  if redis.replicate_commands then redis.replicate_commands() end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local nowUs = ARGV[3] and tonumber(ARGV[3]) or redisTimeUs()
local limits = readLimits(ARGV[1], nowUs)
-- A test that sets the time may run for longer than the TTL in real time.
local marginMs = ARGV[3] and 3600000 or 1
