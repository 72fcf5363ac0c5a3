-- Delete buckets and the penalty states of their partition.
--   KEYS     the buckets, then a penalty state for each limit of ARGV[1]
--   ARGV[1]  one limit for each penalty, see call.lua
-- Returns how many of them were in use.
-- Twin: MemoryStore.reset.

-- Whether the bucket is kept, empty: see closeLeases.
local function keepSlots (bucket)
  leases.advance(intervalOf(bucket), bucket, nowUs)
  if not leases.close(bucket, nowUs) then return false end
  bucket.overuse = nil
  return not writeKey(bucket.key, bucket, encodeBucket(bucket), bucketTtlUs(bucket, nowUs), marginMs)
end

local resetCount, bucketCount = 0, #KEYS - #limits
for i = 1, #KEYS do
  local key, ttlUs, isKept = KEYS[i], 0, false
  if i <= bucketCount then
    local bucket = readBucket(key)
    if bucket.max then ttlUs = usedTtlUs(bucket, nowUs) end
    isKept = bucket.slotEndUs and keepSlots(bucket)
  else
    local rule = limits[i - bucketCount].penalty
    ttlUs = penaltyTtlUs(rule, loadPenaltyEntry(rule, key, nowUs).state, nowUs)
  end
  if ttlUs > 0 then resetCount = resetCount + 1 end
  if not isKept then redis.call('DEL', key) end
end
return resetCount
