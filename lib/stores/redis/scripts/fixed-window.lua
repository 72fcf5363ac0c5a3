-- Fixed window that starts with its first request. Twin: lib/algorithms/fixed-window.ts; same names, same results.
-- A bucket is the window's start (integer microseconds) and the units used in it; 0 used means that no window is open.

local function rollWindow (quota, startUs, used, nowUs)
  if used == 0 or nowUs - startUs >= quota.windowUs then return nowUs, 0 end
  return min(startUs, nowUs), used
end

local function writeWindowResult (quota, nowUs, result)
  result.remaining = max(0, quota.max - result.count)
  result.resetUs = result.count == 0 and 0 or result.timeUs + quota.windowUs - nowUs
  return result
end

local function assessFixedWindow (quota, startUs, used, cost, nowUs)
  local timeUs, count = rollWindow(quota, startUs, used, nowUs)
  local isPossible = cost <= quota.max and quota.max ~= 0
  local granted = isPossible and count + cost <= quota.max
  if granted then count = count + cost end
  local result = writeWindowResult(quota, nowUs, { granted = granted, timeUs = timeUs, count = count })
  result.retryUs = granted and 0 or (isPossible and result.resetUs)
  return result
end

local function chargeFixedWindow (quota, startUs, used, units, nowUs)
  local timeUs, count = rollWindow(quota, startUs, used, nowUs)
  return writeWindowResult(quota, nowUs, { timeUs = timeUs, count = min(count + units, 2 * quota.max) })
end

local function refundFixedWindow (quota, startUs, used, units, chargedAtUs, nowUs)
  local timeUs, count = rollWindow(quota, startUs, used, nowUs)
  if timeUs <= chargedAtUs then count = max(0, count - units) end
  return writeWindowResult(quota, nowUs, { timeUs = timeUs, count = count })
end
