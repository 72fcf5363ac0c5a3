-- Correct buckets after the fact.
--   KEYS     the bucket of each adjustment, in order
--   ARGV[1]  the distinct limits, see call.lua
--   ARGV[2]  the adjustments, packed: its limit's number:2 isRefund:1 units:7, and of the charge: its time:7 and resetUs:7
-- Replies the error text of the first bucket that could not be read or written, or ''.
-- Twin: MemoryStore.adjust.

local adjustments, position, keyIndex = ARGV[2], 1, 0
local err

while position <= #adjustments do
  local limitIndex, isRefund, units, atUs, resetUs
  limitIndex, isRefund, units, atUs, resetUs, position = unpack('>I2I1I7I7I7', adjustments, position)
  keyIndex = keyIndex + 1
  local quota, bucket = limits[limitIndex], readBucket(KEYS[keyIndex])
  err = err or bucket.err
  -- Nothing can be given back to a bucket that has gone, or that counts otherwise by now.
  local isGone = bucket.max == nil or bucket.algorithm ~= quota.algorithm
  if not bucket.err and quota.max > 0 and not (isRefund == 1 and isGone) then
    carryBucket(bucket, quota, nowUs)
    if isRefund == 1 then
      changeBucket(bucket, refund(quota, bucket, units, atUs, resetUs, nowUs), -units)
    else
      changeBucket(bucket, charge(quota, bucket, units, nowUs), units)
    end
  end
end

return writeBuckets(nowUs, marginMs) or err or ''
