-- Token bucket as GCRA. Twin: lib/algorithms/token-bucket.ts, which explains it; same names, same results.
-- Times are integer microseconds. A verdict is a table: granted, remaining, resetUs, delayUs, retryUs (false: never),
-- timeUs, count.

local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local MAX_SAFE_INTEGER = 9007199254740991

local function settleTat (quota, tatUs, tatNum, nowUs)
  if tatUs < nowUs then return nowUs, 0 end
  if tatUs - nowUs >= quota.ceilingUs then return nowUs + quota.ceilingUs, 0 end
  return tatUs, tatNum
end

local function carry (quota, timeUs, count)
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

local function unitsIn (quota, backlogUs, backlogNum)
  if quota.intervalDen == 1 then return ceil(backlogUs / quota.intervalUs) end
  local scaled = backlogUs * quota.intervalDen + backlogNum
  local units = ceil(scaled / (quota.intervalUs * quota.intervalDen + quota.intervalNum))
  if scaled <= MAX_SAFE_INTEGER then return units end
  if isCovered(quota, units - 1, backlogUs, backlogNum) then return units - 1 end
  return isCovered(quota, units, backlogUs, backlogNum) and units or units + 1
end

local function stateTokens (quota, nowUs, verdict)
  local backlogUs = verdict.timeUs - nowUs
  verdict.resetUs = verdict.count > 0 and backlogUs + 1 or backlogUs
  verdict.remaining = quota.max == 0 and 0 or max(0, quota.capacity - unitsIn(quota, backlogUs, verdict.count))
  return verdict
end

local function assessTokenBucket (quota, tatUs, tatNum, cost, nowUs)
  local settledUs, settledNum = settleTat(quota, tatUs, tatNum, nowUs)
  local verdict = { granted = false, retryUs = false, timeUs = settledUs, count = settledNum }
  if cost <= quota.capacity and quota.max ~= 0 then
    local timeUs, count = carry(quota, settledUs + cost * quota.intervalUs, settledNum + cost * quota.intervalNum)
    local overUs = timeUs - nowUs - quota.capacityUs + (count > quota.capacityNum and 1 or 0)
    if overUs <= quota.patienceUs then
      verdict.granted = true
      verdict.delayUs = max(0, overUs)
      verdict.retryUs = 0
      verdict.timeUs = timeUs
      verdict.count = count
    else
      verdict.retryUs = overUs - quota.patienceUs
    end
  end
  return stateTokens(quota, nowUs, verdict)
end

local function chargeTokenBucket (quota, tatUs, tatNum, units, nowUs)
  local timeUs, count = settleTat(quota, tatUs, tatNum, nowUs)
  local bounded = min(units, quota.capacity + quota.max)
  timeUs, count = carry(quota, timeUs + bounded * quota.intervalUs, count + bounded * quota.intervalNum)
  timeUs, count = settleTat(quota, timeUs, count, nowUs)
  return stateTokens(quota, nowUs, { timeUs = timeUs, count = count })
end

local function refundTokenBucket (quota, tatUs, tatNum, units, chargedUntilUs, nowUs)
  local timeUs, count = settleTat(quota, tatUs, tatNum, nowUs)
  local bounded = min(units, quota.capacity + quota.max)
  local num = bounded * quota.intervalNum
  local whole = floor(num / quota.intervalDen)
  local wantedUs = bounded * quota.intervalUs + whole
  local wantedNum = num - whole * quota.intervalDen
  local undrainedUs = max(0, chargedUntilUs - nowUs)
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
  timeUs, count = settleTat(quota, timeUs, count, nowUs)
  return stateTokens(quota, nowUs, { timeUs = timeUs, count = count })
end

local function isLastCharge (quota, tatUs, tatNum, chargedUntilUs)
  return quota.intervalUs > 0 and tatUs + (tatNum > 0 and 1 or 0) == chargedUntilUs
end
