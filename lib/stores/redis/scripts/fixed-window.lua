-- Fixed window that starts with its first request. Twin: lib/algorithms/fixed-window.ts. Same names, same results.
-- A bucket is the start of the window (timeUs, integer microseconds) and the units used in it (count).
-- A count of 0 means that no window is open.

local function rollWindow (quota, bucket, nowUs)
  local startUs, used = bucket.timeUs, bucket.count
  if used == 0 or nowUs - startUs >= quota.windowUs then return nowUs, 0 end
  return min(startUs, nowUs), used
end

local function writeWindowResult (quota, leftUs, result)
  result.remaining = max(0, quota.max - result.count)
  result.resetUs = result.count == 0 and 0 or leftUs
  return result
end

local function takeFromWindow (quota, cost, leftUs, result)
  local isPossible = cost <= quota.max and quota.max ~= 0
  result.granted = isPossible and result.count + cost <= quota.max
  if result.granted then result.count = result.count + cost end
  writeWindowResult(quota, leftUs, result)
  result.retryUs = result.granted and 0 or (isPossible and result.resetUs)
  return result
end

local function addToWindow (quota, units, leftUs, result)
  result.count = max(result.count, min(result.count + units, 2 * quota.max))
  return writeWindowResult(quota, leftUs, result)
end

local function returnToWindow (quota, units, leftUs, result)
  result.count = max(0, result.count - units)
  return writeWindowResult(quota, leftUs, result)
end

local function assessFixedWindow (quota, bucket, cost, nowUs)
  local timeUs, count = rollWindow(quota, bucket, nowUs)
  return takeFromWindow(quota, cost, timeUs + quota.windowUs - nowUs, { timeUs = timeUs, count = count })
end

local function chargeFixedWindow (quota, bucket, units, nowUs)
  local timeUs, count = rollWindow(quota, bucket, nowUs)
  return addToWindow(quota, units, timeUs + quota.windowUs - nowUs, { timeUs = timeUs, count = count })
end

local function refundFixedWindow (quota, bucket, refund, nowUs)
  local timeUs, count = rollWindow(quota, bucket, nowUs)
  local isOpen = timeUs <= refund.chargedAtUs
  return returnToWindow(quota, isOpen and refund.units or 0, timeUs + quota.windowUs - nowUs, { timeUs = timeUs, count = count })
end
