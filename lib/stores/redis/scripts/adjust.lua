-- Correct buckets after the fact.
--   KEYS     the bucket of each adjustment, in order
--   ARGV[1]  the distinct limits, see call.lua
--   ARGV[2]  the adjustments, packed: the number of the limit:2 kind:1 units:7, and time:7 and resetUs:7 of the charge
--            kind: 0 charges, 1 refunds, 2 refunds a token bucket only if the charge was its last one
-- Returns the error text of the first bucket that could not be read or written, or that was damaged, or ''. If the time is in no
-- period of a limit, it changes nothing and returns 'PERIOD' and the time.
-- Twin: MemoryStore.adjust.

if isOutOfPeriods then return string.format('PERIOD %.0f', nowUs) end

-- As in lib/algorithms/quota.ts.
local ENTRIES_PER_WINDOW = 128

local adjustments, position, keyIndex = ARGV[2], 1, 0
local err

-- The numbers to charge by. A window that a version with a larger max has written is charged by those of that version: it may
-- hold more units than a window of this one has room for, its debt included.
local function numbersOf (quota, bucket)
  if quota.algorithm == TOKEN_BUCKET or bucket.algorithm ~= quota.algorithm or bucket.max <= quota.max then return quota end
  local windowUs = bucket.windowUs
  local written = { max = bucket.max, capacity = bucket.capacity, windowUs = windowUs, mergeUs = ceil(windowUs / ENTRIES_PER_WINDOW) }
  return setmetatable(written, { __index = quota })
end

while position <= #adjustments do
  local limitIndex, kind, units, atUs, resetUs
  limitIndex, kind, units, atUs, resetUs, position = unpack('>I2I1I7I7I7', adjustments, position)
  keyIndex = keyIndex + 1
  local quota, bucket = limits[limitIndex], readBucket(KEYS[keyIndex])
  err = err or bucket.err
  -- Do not refund to a bucket that is gone, or that another algorithm uses now.
  local isGone = bucket.max == nil or bucket.algorithm ~= quota.algorithm
  if not bucket.err and quota.max > 0 and not (kind > 0 and isGone) then
    if kind == 0 then quota = numbersOf(quota, bucket) end
    carryBucket(bucket, quota, nowUs)
    if kind == 0 then
      changeBucket(bucket, chargeBucket(quota, bucket, units, nowUs), min(units, quota.capacity + quota.max), nowUs)
    elseif kind == 1 or quota.algorithm ~= TOKEN_BUCKET or isLastCharge(quota, bucket, atUs + resetUs) then
      local refund = { units = units, chargedAtUs = atUs, chargedUntilUs = atUs + resetUs }
      changeBucket(bucket, refundBucket(quota, bucket, refund, nowUs), refund.chargedUntilUs > nowUs and -units or 0, nowUs)
    end
  end
end

return writeBuckets(nowUs, marginMs) or err or describeDamage() or ''
