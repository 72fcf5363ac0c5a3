-- Window that ends with a period of a calendar. Twin: lib/algorithms/calendar-window.ts, which explains it. Same names, same results.
-- A bucket is the end of the period that its units count in (timeUs, integer microseconds), and the units (count).
-- The quota has the current period, startUs and endUs: see call.lua.

local function advancePeriod (quota, bucket, nowUs)
  local endUs, used = bucket.timeUs, bucket.count
  if used == 0 or endUs <= nowUs then return quota.endUs, 0 end
  if quota.keepsEnd and endUs - nowUs <= quota.ceilingUs then return endUs, used end
  return quota.endUs, used
end

local function assessCalendarWindow (quota, bucket, cost, nowUs)
  local timeUs, count = advancePeriod(quota, bucket, nowUs)
  return takeFromWindow(quota, cost, timeUs - nowUs, { timeUs = timeUs, count = count })
end

local function chargeCalendarWindow (quota, bucket, units, nowUs)
  local timeUs, count = advancePeriod(quota, bucket, nowUs)
  return addToWindow(quota, units, timeUs - nowUs, { timeUs = timeUs, count = count })
end

local function refundCalendarWindow (quota, bucket, refund, nowUs)
  local timeUs, count = advancePeriod(quota, bucket, nowUs)
  local isCurrent = refund.chargedAtUs >= quota.startUs
  return returnToWindow(quota, isCurrent and refund.units or 0, timeUs - nowUs, { timeUs = timeUs, count = count })
end
