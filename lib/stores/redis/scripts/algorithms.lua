-- One bucket under one quota, for every algorithm. Twin: lib/stores/memory/bucket.ts.

local TOKEN_BUCKET, SLIDING_WINDOW, FIXED_WINDOW = 1, 2, 3

-- Twin: createQuota in lib/algorithms/quota.ts. Used for buckets that another algorithm wrote.
local function createQuota (algorithm, maxUnits, windowUs, capacity)
  local divisor = greatestCommonDivisor(maxUnits, windowUs)
  local intervalDen = max(1, maxUnits / divisor)
  local intervalUs = floor(windowUs / divisor / intervalDen)
  local intervalNum = (windowUs / divisor) % intervalDen
  local capacityCarry = floor(capacity * intervalNum / intervalDen)
  local capacityUs = capacity * intervalUs + capacityCarry
  local capacityNum = capacity * intervalNum - capacityCarry * intervalDen
  return {
    algorithm = algorithm, max = maxUnits, windowUs = windowUs, capacity = capacity,
    intervalUs = intervalUs, intervalNum = intervalNum, intervalDen = intervalDen,
    capacityUs = capacityUs, capacityNum = capacityNum, maxDelayUs = 0,
    ceilingUs = capacityUs + windowUs - intervalUs - (capacityNum < intervalNum and 1 or 0),
    mergeUs = ceil(windowUs / 128)
  }
end

local function assessBucket (quota, bucket, cost, nowUs)
  if quota.algorithm == TOKEN_BUCKET then return assessTokenBucket(quota, bucket, cost, nowUs) end
  if quota.algorithm == FIXED_WINDOW then return assessFixedWindow(quota, bucket, cost, nowUs) end
  return assessSlidingWindow(quota, bucket.log, cost, nowUs)
end

local function chargeBucket (quota, bucket, units, nowUs)
  if quota.algorithm == TOKEN_BUCKET then return chargeTokenBucket(quota, bucket, units, nowUs) end
  if quota.algorithm == FIXED_WINDOW then return chargeFixedWindow(quota, bucket, units, nowUs) end
  return chargeSlidingWindow(quota, bucket.log, units, nowUs)
end

local function refundBucket (quota, bucket, refund, nowUs)
  if quota.algorithm == TOKEN_BUCKET then return refundTokenBucket(quota, bucket, refund, nowUs) end
  if quota.algorithm == FIXED_WINDOW then return refundFixedWindow(quota, bucket, refund, nowUs) end
  return refundSlidingWindow(quota, bucket.log, refund, nowUs)
end
