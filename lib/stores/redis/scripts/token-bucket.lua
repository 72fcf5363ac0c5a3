-- Token bucket as GCRA. Twin: lib/algorithms/token-bucket.ts, which explains it. Same names, same results.
-- Times are integer microseconds. A bucket has timeUs and count. A refund has units, chargedAtUs and chargedUntilUs.
-- A result has granted, remaining, resetUs, delayUs, retryUs (false: never), timeUs and count.

local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local MAX_SAFE_INTEGER = 9007199254740991

local function clampTat (quota, tatUs, tatNum, nowUs)
  if tatUs < nowUs then return nowUs, 0 end
  if tatUs - nowUs >= quota.ceilingUs then return nowUs + quota.ceilingUs, 0 end
  return tatUs, tatNum
end

local function normalizeFraction (quota, timeUs, count)
  if count < quota.intervalDen then return timeUs, count end
  local whole = floor(count / quota.intervalDen)
  return timeUs + whole, count - whole * quota.intervalDen
end

local function isCovered (quota, units, backlogUs, backlogNum)
  local num = units * quota.intervalNum
  local whole = floor(num / quota.intervalDen)
  local us = units * quota.intervalUs + whole
  return us > backlogUs or (us == backlogUs and num - whole * quota.intervalDen >= backlogNum)
end

local function backlogToUnits (quota, backlogUs, backlogNum)
  if quota.intervalDen == 1 then return ceil(backlogUs / quota.intervalUs) end
  local scaled = backlogUs * quota.intervalDen + backlogNum
  local units = ceil(scaled / (quota.intervalUs * quota.intervalDen + quota.intervalNum))
  if scaled <= MAX_SAFE_INTEGER then return units end
  if isCovered(quota, units - 1, backlogUs, backlogNum) then return units - 1 end
  return isCovered(quota, units, backlogUs, backlogNum) and units or units + 1
end

local function writeTokenResult (quota, nowUs, result)
  local backlogUs = result.timeUs - nowUs
  result.resetUs = result.count > 0 and backlogUs + 1 or backlogUs
  result.remaining = max(0, quota.capacity - backlogToUnits(quota, backlogUs, result.count))
  return result
end

local function assessTokenBucket (quota, bucket, cost, nowUs)
  local clampedUs, clampedNum = clampTat(quota, bucket.timeUs, bucket.count, nowUs)
  local result = { granted = false, retryUs = false, timeUs = clampedUs, count = clampedNum }
  if cost <= quota.capacity and quota.max ~= 0 then
    local timeUs, count = normalizeFraction(quota, clampedUs + cost * quota.intervalUs, clampedNum + cost * quota.intervalNum)
    local overUs = timeUs - nowUs - quota.capacityUs + (count > quota.capacityNum and 1 or 0)
    if overUs <= quota.maxDelayUs then
      result.granted = true
      result.delayUs = max(0, overUs)
      result.retryUs = 0
      result.timeUs = timeUs
      result.count = count
    else
      result.retryUs = overUs - quota.maxDelayUs
    end
  end
  return writeTokenResult(quota, nowUs, result)
end

local function chargeTokenBucket (quota, bucket, units, nowUs)
  local timeUs, count = clampTat(quota, bucket.timeUs, bucket.count, nowUs)
  local bounded = min(units, quota.capacity + quota.max)
  timeUs, count = normalizeFraction(quota, timeUs + bounded * quota.intervalUs, count + bounded * quota.intervalNum)
  timeUs, count = clampTat(quota, timeUs, count, nowUs)
  return writeTokenResult(quota, nowUs, { timeUs = timeUs, count = count })
end

local function refundTokenBucket (quota, bucket, refund, nowUs)
  local timeUs, count = clampTat(quota, bucket.timeUs, bucket.count, nowUs)
  local bounded = min(refund.units, quota.capacity + quota.max)
  local num = bounded * quota.intervalNum
  local whole = floor(num / quota.intervalDen)
  local wantedUs = bounded * quota.intervalUs + whole
  local wantedNum = num - whole * quota.intervalDen
  local undrainedUs = max(0, refund.chargedUntilUs - nowUs)
  if wantedUs < undrainedUs then
    timeUs = timeUs - wantedUs
    count = count - wantedNum
    if count < 0 then
      timeUs = timeUs - 1
      count = count + quota.intervalDen
    end
  else
    timeUs = timeUs - undrainedUs
  end
  timeUs, count = clampTat(quota, timeUs, count, nowUs)
  return writeTokenResult(quota, nowUs, { timeUs = timeUs, count = count })
end

local function isLastCharge (quota, bucket, chargedUntilUs)
  return quota.intervalUs > 0 and bucket.timeUs + (bucket.count > 0 and 1 or 0) == chargedUntilUs
end
