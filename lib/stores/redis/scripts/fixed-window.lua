-- Fixed window that starts with its first request. Twin: lib/algorithms/fixed-window.ts; same names, same results.
-- A bucket is the window's start (integer microseconds) and the units used in it; 0 used means that no window is open.

local function settleWindow (quota, startUs, used, nowUs)
  if used == 0 or nowUs - startUs >= quota.windowUs then return nowUs, 0 end
  return min(startUs, nowUs), used
end

local function stateWindow (quota, nowUs, verdict)
  verdict.remaining = max(0, quota.max - verdict.count)
  verdict.resetUs = verdict.count == 0 and 0 or verdict.timeUs + quota.windowUs - nowUs
  return verdict
end

local function assessFixedWindow (quota, startUs, used, cost, nowUs)
  local timeUs, count = settleWindow(quota, startUs, used, nowUs)
  local isPossible = cost <= quota.max and quota.max ~= 0
  local granted = isPossible and count + cost <= quota.max
  if granted then count = count + cost end
  local verdict = stateWindow(quota, nowUs, { granted = granted, timeUs = timeUs, count = count })
  verdict.retryUs = granted and 0 or (isPossible and verdict.resetUs)
  return verdict
end

local function chargeFixedWindow (quota, startUs, used, units, nowUs)
  local timeUs, count = settleWindow(quota, startUs, used, nowUs)
  return stateWindow(quota, nowUs, { timeUs = timeUs, count = min(count + units, 2 * quota.max) })
end

local function refundFixedWindow (quota, startUs, used, units, chargedAtUs, nowUs)
  local timeUs, count = settleWindow(quota, startUs, used, nowUs)
  if timeUs <= chargedAtUs then count = max(0, count - units) end
  return stateWindow(quota, nowUs, { timeUs = timeUs, count = count })
end
