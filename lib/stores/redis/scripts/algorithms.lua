-- One bucket under one quota, for every algorithm. Twin: lib/stores/memory/bucket.ts.

local function assessBucket (quota, bucket, cost, nowUs)
  if quota.algorithm == TOKEN_BUCKET then return assessTokenBucket(quota, bucket, cost, nowUs) end
  if quota.algorithm == FIXED_WINDOW then return assessFixedWindow(quota, bucket, cost, nowUs) end
  if quota.algorithm == CALENDAR_WINDOW then return assessCalendarWindow(quota, bucket, cost, nowUs) end
  return assessSlidingWindow(quota, bucket.log, cost, nowUs)
end

local function chargeBucket (quota, bucket, units, nowUs)
  if quota.algorithm == TOKEN_BUCKET then return chargeTokenBucket(quota, bucket, units, nowUs) end
  if quota.algorithm == FIXED_WINDOW then return chargeFixedWindow(quota, bucket, units, nowUs) end
  if quota.algorithm == CALENDAR_WINDOW then return chargeCalendarWindow(quota, bucket, units, nowUs) end
  return chargeSlidingWindow(quota, bucket.log, units, nowUs)
end

local function refundBucket (quota, bucket, refund, nowUs)
  if quota.algorithm == TOKEN_BUCKET then return refundTokenBucket(quota, bucket, refund, nowUs) end
  if quota.algorithm == FIXED_WINDOW then return refundFixedWindow(quota, bucket, refund, nowUs) end
  if quota.algorithm == CALENDAR_WINDOW then return refundCalendarWindow(quota, bucket, refund, nowUs) end
  return refundSlidingWindow(quota, bucket.log, refund, nowUs)
end
