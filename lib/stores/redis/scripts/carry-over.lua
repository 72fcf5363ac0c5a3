-- Used units stay used when the numbers of a limit change. Twin: lib/algorithms/carry-over.ts. Same results.

local ROUNDING_US = 1 / 1024

local function carryAge (written, quota, sinceUs, nowUs)
  local ageUs = min(max(0, nowUs - sinceUs), written.windowUs)
  return floor(ageUs * (quota.windowUs / written.windowUs))
end

local function greatestCommonDivisor (a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

local function carryTokenBucket (written, quota, bucket, nowUs)
  local intervalDen = max(1, written.max / greatestCommonDivisor(written.max, written.windowUs))
  local backlogUs = max(0, bucket.timeUs - nowUs + bucket.count / intervalDen)
  if backlogUs * written.max / written.windowUs >= quota.capacity then
    return nowUs + quota.capacityUs, quota.capacityNum
  end
  local carriedUs = max(0, backlogUs * (written.max * quota.windowUs / (written.windowUs * quota.max)) - ROUNDING_US)
  local wholeUs = floor(carriedUs)
  return normalizeFraction(quota, nowUs + wholeUs, ceil((carriedUs - wholeUs) * quota.intervalDen))
end

local function carryFixedWindow (written, quota, bucket, nowUs)
  local startUs, used = bucket.timeUs, bucket.count
  local isOver = nowUs - startUs >= written.windowUs
  return nowUs - carryAge(written, quota, startUs, nowUs), isOver and 0 or min(used, quota.max)
end

local function carryGrantLog (written, quota, log, nowUs)
  local excess, unexpired, carried = -quota.max, {}, {}
  for _, entry in ipairs(unfoldLog(log)) do
    if nowUs - entry.us < written.windowUs then
      excess = excess + entry.units
      unexpired[#unexpired + 1] = entry
    end
  end
  for _, entry in ipairs(unexpired) do
    local dropped = max(0, min(excess, entry.units))
    excess = excess - dropped
    if entry.units > dropped then
      carried[#carried + 1] = { us = nowUs - carryAge(written, quota, entry.us, nowUs), units = entry.units - dropped }
    end
  end
  return foldLog(carried, nowUs - carryAge(written, quota, log.firstUs, nowUs))
end
