-- Fixed window that starts with its first request. Twin: lib/algorithms/fixed-window.ts. Same names, same results.
-- A bucket is the start of the window (timeUs, integer microseconds) and the units used in it (count).
-- A count of 0 means that no window is open.

local function rollWindow (quota, bucket, nowUs)
  local startUs, used = bucket.timeUs, bucket.count
  if used == 0 or nowUs - startUs >= quota.windowUs then return nowUs, 0 end
  return min(startUs, nowUs), used
end

local function writeWindowResult (quota, nowUs, result)
  result.remaining = max(0, quota.max - result.count)
  result.resetUs = result.count == 0 and 0 or result.timeUs + quota.windowUs - nowUs
  return result
end

local function assessFixedWindow (quota, bucket, cost, nowUs)
  local timeUs, count = rollWindow(quota, bucket, nowUs)
  local isPossible = cost <= quota.max and quota.max ~= 0
  local granted = isPossible and count + cost <= quota.max
  if granted then count = count + cost end
  local result = writeWindowResult(quota, nowUs, { granted = granted, timeUs = timeUs, count = count })
  result.retryUs = granted and 0 or (isPossible and result.resetUs)
  return result
end

local function chargeFixedWindow (quota, bucket, units, nowUs)
  local timeUs, count = rollWindow(quota, bucket, nowUs)
  return writeWindowResult(quota, nowUs, { timeUs = timeUs, count = max(count, min(count + units, 2 * quota.max)) })
end

local function refundFixedWindow (quota, bucket, refund, nowUs)
  local timeUs, count = rollWindow(quota, bucket, nowUs)
  if timeUs <= refund.chargedAtUs then count = max(0, count - refund.units) end
  return writeWindowResult(quota, nowUs, { timeUs = timeUs, count = count })
end
