-- Delete buckets and the penalty states of their partition.
--   KEYS     the buckets, then a penalty state for each limit of ARGV[1]
--   ARGV[1]  one limit for each penalty, see call.lua
-- Returns how many of them were in use.
-- Twin: MemoryStore.reset.

-- A report of a lease from before must not be taken for one of a later lease. So the next leases wait until all have ended.
local function closeLeases (bucket)
  leases.advance(intervalOf(bucket), bucket, nowUs)
  if bucket.apart + bucket.apartNext == 0 then return false end
  bucket.timeUs, bucket.count, bucket.overuse = nowUs, 0, nil
  bucket.apart, bucket.apartNext, bucket.slotEndUs = 0, 0, bucket.slotEndUs + 2 * bucket.gridUs
  return not writeKey(bucket.key, bucket, encodeBucket(bucket), bucketTtlUs(bucket, nowUs), marginMs)
end

local resetCount, bucketCount = 0, #KEYS - #limits
for i = 1, #KEYS do
  local key, ttlUs, isKept = KEYS[i], 0, false
  if i <= bucketCount then
    local bucket = readBucket(key)
    if bucket.max then ttlUs = usedTtlUs(bucket, nowUs) end
    isKept = bucket.slotEndUs and closeLeases(bucket)
  else
    local rule = limits[i - bucketCount].penalty
    ttlUs = penaltyTtlUs(rule, loadPenaltyEntry(rule, key, nowUs).state, nowUs)
  end
  if ttlUs > 0 then resetCount = resetCount + 1 end
  if not isKept then redis.call('DEL', key) end
end
return resetCount
