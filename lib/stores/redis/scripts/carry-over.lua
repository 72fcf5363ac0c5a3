-- Used units stay used when the numbers of a limit change. Twin: lib/algorithms/carry-over.ts, which explains it. Same results.

local TOKEN_BUCKET, SLIDING_WINDOW, FIXED_WINDOW, CALENDAR_WINDOW = 1, 2, 3, 4
local MAX_UNITS = 1099511627775
local ROUNDING_US, ROUNDING_UNITS = 1 / 1024, 1 / 1024 / 1024

local function carryAge (written, quota, sinceUs, nowUs)
  local ageUs = min(max(0, nowUs - sinceUs), written.windowUs)
  return floor(ageUs * (quota.windowUs / written.windowUs))
end

local function greatestCommonDivisor (a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

-- The interval of a bucket, by the numbers that it was written under.
local function intervalOf (written)
  local divisor = greatestCommonDivisor(written.max, written.windowUs)
  local intervalDen, reducedWindow = max(1, written.max / divisor), written.windowUs / divisor
  return { intervalUs = floor(reducedWindow / intervalDen), intervalNum = reducedWindow % intervalDen, intervalDen = intervalDen }
end

local function countOveruse (overuse, nowUs)
  return overuse and max(0, overuse.units - max(0, nowUs - overuse.atUs) * overuse.max / overuse.windowUs) or 0
end

local function addToOveruse (overuse, units, nowUs)
  local used = countOveruse(overuse, nowUs)
  return used > 0 and { atUs = nowUs, units = max(0, min(used + units, MAX_UNITS)), max = overuse.max, windowUs = overuse.windowUs } or nil
end

local function overuseEndUs (overuse)
  return overuse.atUs + ceil(overuse.units * overuse.windowUs / overuse.max)
end

local function keepOveruse (written, quota, used, nowUs)
  if used <= quota.capacity or quota.algorithm == CALENDAR_WINDOW then return nil end
  local faster = written.max * quota.windowUs >= quota.max * written.windowUs and written or quota
  return { atUs = nowUs, units = used, max = faster.max, windowUs = faster.windowUs }
end

local function computeBacklogUs (written, bucket, nowUs)
  local intervalDen = max(1, written.max / greatestCommonDivisor(written.max, written.windowUs))
  return max(0, bucket.timeUs - nowUs + bucket.count / intervalDen)
end

local function carryTokenBucket (written, quota, bucket, nowUs)
  local backlogUs = max(computeBacklogUs(written, bucket, nowUs), countOveruse(bucket.overuse, nowUs) * written.windowUs / written.max)
  if backlogUs * written.max / written.windowUs >= quota.capacity then
    return nowUs + quota.capacityUs, quota.capacityNum
  end
  local carriedUs = max(0, backlogUs * (written.max * quota.windowUs / (written.windowUs * quota.max)) - ROUNDING_US)
  local wholeUs = floor(carriedUs)
  return normalizeFraction(quota, nowUs + wholeUs, ceil((carriedUs - wholeUs) * quota.intervalDen))
end

local function countBucket (written, bucket, nowUs)
  if written.algorithm == FIXED_WINDOW then return nowUs - bucket.timeUs >= written.windowUs and 0 or bucket.count end
  if written.algorithm == CALENDAR_WINDOW then return bucket.timeUs <= nowUs and 0 or bucket.count end
  if written.algorithm == TOKEN_BUCKET then
    return min(computeBacklogUs(written, bucket, nowUs) * written.max / written.windowUs, written.capacity + written.max)
  end
  local used = 0
  for _, entry in ipairs(bucket.log and unfoldLog(bucket.log) or {}) do
    if nowUs - entry.us < written.windowUs then used = used + entry.units end
  end
  return used
end

local function countAtRisk (written, quota, bucket, nowUs)
  local overused = countOveruse(bucket.overuse, nowUs)
  local isKept = quota.algorithm ~= TOKEN_BUCKET and written.algorithm == quota.algorithm and quota.windowUs >= written.windowUs
  return isKept and overused or max(countBucket(written, bucket, nowUs), overused)
end

local function countDropped (written, quota, bucket, nowUs)
  return quota.windowUs < written.windowUs and max(0, countBucket(written, bucket, nowUs) - quota.max) or 0
end

local function carryFixedWindow (written, quota, bucket, nowUs)
  local used = countBucket(written, bucket, nowUs) - countDropped(written, quota, bucket, nowUs)
  local overused = ceil(countOveruse(bucket.overuse, nowUs) - ROUNDING_UNITS)
  if overused > used then return nowUs, overused end
  return nowUs - carryAge(written, quota, bucket.timeUs, nowUs), used
end

local function carryCalendarWindow (written, quota, bucket, nowUs)
  local used = ceil(max(countBucket(written, bucket, nowUs), countOveruse(bucket.overuse, nowUs)) - ROUNDING_UNITS)
  return written.algorithm == CALENDAR_WINDOW and bucket.timeUs or quota.endUs, used
end

local function carryGrantLog (written, quota, bucket, nowUs)
  local log, carried, used = bucket.log, {}, 0
  local excess = countDropped(written, quota, bucket, nowUs)
  for _, entry in ipairs(log and unfoldLog(log) or {}) do
    if nowUs - entry.us < written.windowUs then
      local units = entry.units - min(excess, entry.units)
      excess = excess - (entry.units - units)
      used = used + units
      if units > 0 then carried[#carried + 1] = { us = nowUs - carryAge(written, quota, entry.us, nowUs), units = units } end
    end
  end
  carried = foldLog(carried, log and nowUs - carryAge(written, quota, log.firstUs, nowUs))
  local overused = ceil(countOveruse(bucket.overuse, nowUs) - ROUNDING_UNITS)
  return overused > used and appendGrant(quota, carried, overused - used, nowUs) or carried
end
