-- Delete buckets and the penalty states of their partition.
--   KEYS     the buckets, then a penalty state for each limit of ARGV[1]
--   ARGV[1]  one limit for each penalty, see call.lua
-- Returns how many of them were in use.
-- Twin: MemoryStore.reset.

local resetCount, bucketCount = 0, #KEYS - #limits
for i = 1, #KEYS do
  local key, ttlUs = KEYS[i], 0
  if i <= bucketCount then
    local bucket = readBucket(key)
    if bucket.max then ttlUs = bucketTtlUs(bucket, nowUs) end
  else
    local rule = limits[i - bucketCount].penalty
    ttlUs = penaltyTtlUs(rule, loadPenaltyEntry(rule, key, nowUs).state, nowUs)
  end
  if ttlUs > 0 then resetCount = resetCount + 1 end
  redis.call('DEL', key)
end
return resetCount
